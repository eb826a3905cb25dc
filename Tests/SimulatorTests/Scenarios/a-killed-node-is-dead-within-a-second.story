# The advisory lock is gone at once; the fast window is half a second.
nodes 5
at 8s kill node-2
expect node-2 dead within 1s
expect leader within 2s
