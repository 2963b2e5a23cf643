"""Deployments of versions: a new one like an old one, applied, waited for, and deleted."""
