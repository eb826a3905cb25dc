nodes 5
at 8s pause node-2 for 4s
expect nobody dead within 10s
at 20s pause node-1 for 4s
expect nobody dead within 10s
