"""Does one match take every request that another would? Sound: yes is always true; no may mean "cannot tell".

Assumed of requests: header values, paths and queries are UTF-8 without line breaks, so that `.*` is any of them.
"""
