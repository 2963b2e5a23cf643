"""Reads a cluster, compares it with specs, and changes it step by step without losing a request."""
