"""The Deployments of versions: clone one for a new version, apply it, wait for its Pods, delete it."""
