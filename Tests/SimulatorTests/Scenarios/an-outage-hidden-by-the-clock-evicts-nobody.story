# The database is gone for 16 s and its clock is set back by nearly as much: by its own account nothing happened. The
# nodes' own clocks know better.
nodes 5
at 8s outage for 16s
at 10s clock by -15900ms
expect nobody dead within 40s
