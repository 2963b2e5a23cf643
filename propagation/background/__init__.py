"""Libraries whose work outlives the request that asked for it, one file for each; loaded when one is named."""

from propagation.lazy import submodules

__getattr__ = submodules(__name__)
