nodes 5
at 8s clock by 60s
expect nobody dead within 20s
at 40s clock by -60s
expect nobody dead within 80s
