"""Drives the rollouts of a namespace in a cluster."""
