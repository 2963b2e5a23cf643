"""Decides whether one match takes every request that a later match would, so that the later one is unreachable.

A yes is always true. A no may also mean that this cannot be decided. Header values, paths and queries are assumed to
be UTF-8 without line breaks, so that `.*` matches all of them.
"""
