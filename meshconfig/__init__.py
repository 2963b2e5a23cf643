"""From one small spec to Istio's resources, and what they will do to a request."""
