# Without power nobody tells the database, which holds the lock until its keepalives fail.
nodes 4
at 8s power node-3 for 60s
expect node-3 dead within 6s
