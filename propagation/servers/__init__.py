"""Middleware for servers, one file for each interface."""
