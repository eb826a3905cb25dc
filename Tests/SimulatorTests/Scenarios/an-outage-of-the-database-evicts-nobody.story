# Every chain is broken afterwards, so nobody may accuse before everybody is back.
nodes 5
at 8s outage for 60s
expect nobody dead within 80s
at 100s restart for 200ms
expect nobody dead within 20s
at 130s crash for 1s
expect nobody dead within 20s
