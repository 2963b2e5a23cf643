"""Carry a lane's tag from the request that came in to every call that goes out."""
