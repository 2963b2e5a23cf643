"""`graylane console`: pages on which a person sees lanes and changes versions, by their own rights.

security (who may talk to it) → pages (one module each) → sources (a cluster or a mesh on this machine)
"""

from meshconfig.console.app import create_app
from meshconfig.console.settings import Settings

__all__ = ["Settings", "create_app"]
