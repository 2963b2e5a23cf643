"""A mesh on this machine: one real Envoy, routed by the rendered resources, and the services as processes."""
