# Paused for long: dead after the slow window. It finds out when it wakes, and joins again.
nodes 5
at 8s pause node-2 for 10s
expect node-2 dead within 6s
expect node-2 living within 12s
