"""Clients that carry the fields on, one file for each library; `propagation.clients.httpx` loads httpx when named."""

from propagation.lazy import submodules

__getattr__ = submodules(__name__)
