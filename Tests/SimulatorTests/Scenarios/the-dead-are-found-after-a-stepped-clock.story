# The heartbeat of the dead one lies in the future, and it is dead all the same.
nodes 3
at 8s clock by -60s
at 18s kill node-3
expect node-3 dead within 2s
