nodes 4
at 8s cut node-3 for 8s
expect node-3 dead within 6s
expect node-3 living within 12s
