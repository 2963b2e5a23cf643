"""A pytest plugin: does an app carry the tag on?"""
