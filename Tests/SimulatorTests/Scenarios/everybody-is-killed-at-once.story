# Whoever is back first watches for the slow window before it evicts.
nodes 3
at 8s kill node-1 for 1s
at 8s kill node-2 for 1s
at 8s kill node-3 for 1s
expect node-1 living within 9s
expect node-2 living within 9s
expect node-3 living within 9s
expect leader within 9s
