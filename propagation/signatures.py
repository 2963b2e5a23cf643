"""Which headers a request's signature covers: whoever changes one of those breaks the request.

Schemes that name what they sign are read here, wherever they name it:

- `SignedHeaders=` in `Authorization`: AWS SigV4 and SigV4A, Google's GOOG4, Azure's HMAC-SHA256, Alibaba Cloud's ACS3,
  Tencent Cloud's TC3, Huawei Cloud's SDK-HMAC-SHA256, Volcengine; `AdditionalHeaders=` of Alibaba's OSS4,
  `q-header-list=` of Tencent's COS, the fifth part of Baidu's bce-auth-v1;
- `headers="…"` in `Authorization` or `Signature`: draft-cavage-http-signatures (Oracle Cloud, Mastodon, Kong, Acquia);
- the component lists of `Signature-Input`: RFC 9421;
- `X-Ca-Signature-Headers` (Alibaba's API gateway), `X-HMAC-Signed-Headers` (Apache APISIX);
- the query of a URL that is signed as a whole: `X-Amz-SignedHeaders=` and its like.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote

_CREDENTIALS = ("authorization", "proxy-authorization", "signature")
_COMPONENTS = "signature-input"
_PLAIN = ("x-ca-signature-headers", "x-hmac-signed-headers")
HEADERS = frozenset({*_CREDENTIALS, _COMPONENTS, *_PLAIN})
NOTHING: frozenset[str] = frozenset()

_NAMING = re.compile(
    r'(?<![\w-])(?:(?:signed|additional)?headers\s*=\s*"([^"]*)'
    r'|(?:(?:signed|additional)headers|q-header-list)\s*=\s*([^\s,&"]+))',
    re.IGNORECASE,
)
_BAIDU = re.compile(r"bce-auth-v\d+/[^/]*/[^/]*/[^/]*/([^/]*)/", re.IGNORECASE)
_IN_QUERY = re.compile(
    r"(?:^|[?&])(?:[a-z-]*signed-?headers|[a-z-]*additional-headers|q-header-list)=([^&#]*)", re.IGNORECASE
)
# RFC 9421, section 2: inner lists of strings; lists and strings alike may have parameters, with strings of their own.
_STRING = r'"(?:[^"\\]|\\.)*"'
_INNER_LIST = re.compile(rf'{_STRING}|(\((?:[^()"]|{_STRING})*\))')
_COMPONENT = re.compile(rf"={_STRING}|({_STRING})")
_BETWEEN = re.compile(r"[;,\s]+")


def signed_names(found: Mapping[str, Sequence[str]], url: str | bytes = "") -> frozenset[str]:
    """The headers, in lower case, that a signature covers.

    found: the values of those of HEADERS that the request has. url: where it goes, or the query of that alone.
    """
    query = _query_that_may_sign(url) if url else ""
    if not query and found.keys().isdisjoint(HEADERS):
        return NOTHING
    lists = [*_lists(found), *map(unquote, _IN_QUERY.findall(query)), *_BAIDU.findall(unquote(query))]
    return frozenset(name for listed in lists for name in _BETWEEN.split(listed.lower()) if name)


def _lists(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name in _CREDENTIALS:
        for value in found.get(name, ()):
            yield from _of_credentials(value)
    for value in found.get(_COMPONENTS, ()):
        for inner in _INNER_LIST.findall(value):
            yield from (component.strip('"') for component in _COMPONENT.findall(inner))
    for name in _PLAIN:
        yield from found.get(name, ())


def _of_credentials(value: str) -> Iterable[str]:
    # Most credentials sign nothing and some are long: those are not searched letter by letter.
    if "eaders" not in value and "header" not in (lower := value.lower()) and "bce-auth" not in lower:
        return ()
    return [unquote(one or other) for one, other in _NAMING.findall(value)] + _BAIDU.findall(value)


def _query_that_may_sign(url: str | bytes) -> str:
    text = url if isinstance(url, str) else url.decode("latin-1")
    lower = text.lower()
    return text if "header" in lower or "bce-auth" in lower else ""
