"""The firm's systems: small programs of their own, each with its own telemetry, that talk over queues and sockets."""
