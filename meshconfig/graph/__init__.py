"""Diagrams of lanes: the version that each lane gets of each service, its fallbacks, and how requests enter it."""

from meshconfig.graph.cells import Cell, call_order, cells, hosts_of, ways_in
from meshconfig.graph.mermaid import mermaid
from meshconfig.graph.svg import svg

__all__ = ["Cell", "call_order", "cells", "hosts_of", "mermaid", "svg", "ways_in"]
