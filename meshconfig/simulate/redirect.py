"""The answer of a route that redirects.

Measured on Envoy 1.40: a `uri` replaces the path. The request's query stays unless the `uri` has a query itself. The
request's host keeps its port, except for `:80` when the scheme changes to https.
Source: pilot route.go, ApplyRedirect.
"""

from meshconfig.istio import HTTPMatchRequest, HTTPRedirect, HTTPRewrite, ports
from meshconfig.istio.destinations import redirect_port
from meshconfig.istio.strings import UnknownError
from meshconfig.simulate.candidates import ProxyContext
from meshconfig.simulate.decision import Redirect
from meshconfig.simulate.paths import rewritten
from meshconfig.simulate.request import Request, split_port

_CODES = (301, 302, 303, 307, 308)


def redirected(
    redirect: HTTPRedirect, request: Request, proxy: ProxyContext, match: HTTPMatchRequest | None
) -> Redirect:
    """The status and the location of a redirect.

    Parameters:
        redirect: the route's redirect.
        request: the request, its path normalized.
        proxy: the Envoy that answers.
        match: the match that held, whose prefix a prefix rewrite replaces; None for a route without matches.

    Raises:
        UnknownError: pilot does not accept the redirect's code.
    """
    code = redirect.redirect_code or 301
    if code not in _CODES:
        raise UnknownError(f"a redirect with code {code}, which pilot does not take")
    scheme = redirect.scheme or request.scheme
    host = _host(redirect, request, scheme, redirect_port(redirect, proxy.port, tls=proxy.tls))
    return Redirect(code, f"{scheme}://{host}{_path(redirect, request, match)}")


def to_https(request: Request) -> Redirect:
    """The answer of a Gateway's server with `httpsRedirect` to a plain request."""
    return Redirect(301, f"https://{request.host}{request.path}")


def _host(redirect: HTTPRedirect, request: Request, scheme: str, port: int | None) -> str:
    if redirect.authority:
        return f"{redirect.authority}:{port}" if port else redirect.authority
    host, own = split_port(request.host)
    if port:
        return f"{host}:{port}"
    # Envoy removes the old scheme's default port from the host when the scheme changes.
    return host if scheme != request.scheme and own == ports.BY_SCHEME.get(request.scheme) else request.host


def _path(redirect: HTTPRedirect, request: Request, match: HTTPMatchRequest | None) -> str:
    if redirect.prefix_rewrite:
        return rewritten(request.path, HTTPRewrite(uri=redirect.prefix_rewrite), match)
    if not redirect.uri:
        return request.path
    _, mark, query = request.path.partition("?")
    return redirect.uri if "?" in redirect.uri else redirect.uri + mark + query
