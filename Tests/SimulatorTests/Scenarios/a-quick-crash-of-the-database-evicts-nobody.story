# Back within a beat, with the newest heartbeats lost and every advisory lock gone.
nodes 5
at 8s crash for 130ms
expect nobody dead within 10s
at 20s crash for 80ms
expect nobody dead within 10s
at 32s restart for 130ms
expect nobody dead within 10s
at 44s crash for 200ms
expect nobody dead within 10s
