"""Middleware for servers, one file for each interface; `propagation.servers.grpc` loads grpc when named."""

from propagation.lazy import submodules

__getattr__ = submodules(__name__)
