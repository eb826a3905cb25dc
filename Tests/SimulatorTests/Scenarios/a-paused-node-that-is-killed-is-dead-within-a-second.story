# Its lock goes while everybody has been refused: somebody's turn comes soon.
nodes 12
at 9s pause node-2 for 20s
at 11s kill node-2
expect node-2 dead within 1s
