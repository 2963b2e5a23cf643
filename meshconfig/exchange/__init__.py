"""HTTP exchanges with peers that may hang, drip, redirect, or send too much: API server, istiod, Prometheus, webhooks.

urls         what a URL is, whether a prefix covers it, and how it is shown without its secrets
allowed      the hosts that a runner may reach although their addresses are not public
connections  sockets whose time-out holds for a whole exchange, and connections to allowed addresses only
reasons      in words, why there was no answer
send         one request and its answer, within limits
backoff      when a failed request is sent again
"""
