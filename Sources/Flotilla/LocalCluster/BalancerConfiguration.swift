/// The text of HAProxy's configuration for a local cluster: every slot is listed, taken or not.
package enum BalancerConfiguration {
    /// The configuration; `socket` is the path of its statistics socket.
    ///
    /// A node that hangs is found by four checks of 0.7 s each, a dead one by four refusals: within about 4 s
    /// its sessions are cut, so that clients try again elsewhere. New requests pass by a dead one at once. How much
    /// each gets it says itself, twice a second, by its agent; one that drains, is isolated or sick gets nothing new
    /// and keeps its sessions. The check of readiness says the same once more, for a node whose agent does not answer.
    package static func text(ports: LocalPorts, socket: String) -> String {
        let slots = 1...LocalClusterOptions.workersMax
        let files = slots.map {
            """
                server worker-\($0) 127.0.0.1:\(ports.files(ofWorker: $0)) check port \(ports.admin(ofWorker: $0)) \
            agent-port \(ports.agent(ofWorker: $0))
            """
        }
        let admin = slots.map {
            "    server worker-\($0) 127.0.0.1:\(ports.admin(ofWorker: $0)) track files/worker-\($0)"
        }
        return """
            # Written by `flotilla cluster up` at each start: changes here are lost.
            global
                maxconn 4000
                stats socket \(socket) mode 600 level admin

            defaults
                mode http
                balance leastconn
                option redispatch 1
                option splice-auto
                option dontlognull
                option forwardfor
                retries 3
                retry-on conn-failure
                timeout connect 2s
                timeout queue 30s
                timeout client 10m
                timeout server 10m
                timeout http-request 30s
                timeout http-keep-alive 60s
                timeout check 700ms
                default-server inter 500ms fastinter 250ms downinter 500ms fall 4 rise 1 on-marked-down shutdown-sessions

            frontend files-front
                bind 127.0.0.1:\(ports.files)
                default_backend files

            frontend admin-front
                bind 127.0.0.1:\(ports.admin)
                default_backend admin

            backend files
                option httpchk GET /health/ready
                http-check expect error-status L7OKC ! rstring \\"standing\\":\\"(draining|stale|isolated|sick)\\"
                http-check expect status 200
                default-server weight 100 agent-check agent-addr 127.0.0.1 agent-inter 500ms
            \(files.joined(separator: "\n"))

            backend admin
            \(admin.joined(separator: "\n"))

            """
    }
}
