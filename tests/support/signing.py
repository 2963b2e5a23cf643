"""Requests that are signed, as clouds and RFC 9421 do it: the ways to name what is signed, and a peer that checks it.

SCHEMES: by name, the headers that say these names are signed. QUERIES: the same in a URL.
`sign` and `is_valid` stand for the two ends: a digest over the named headers, as they are when signed and as they come.
"""

import hashlib
import hmac
from urllib.parse import quote

KEY = b"secret"


def quoted(names):
    return " ".join(f'"{name}"' for name in names)


SCHEMES = {
    "AWS SigV4": lambda names: {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AK/20261128/eu-west-1/sqs/aws4_request, "
        f"SignedHeaders={';'.join(names)}, Signature=ab12"
    },
    "AWS SigV4A": lambda names: {
        "authorization": "AWS4-ECDSA-P256-SHA256 Credential=AK/20261128/s3/aws4_request,"
        f"SignedHeaders={';'.join(names)},Signature=30"
    },
    "Google": lambda names: {
        "Authorization": f"GOOG4-RSA-SHA256 Credential=a@b/x, SignedHeaders={';'.join(names)}, S=1"
    },
    "Azure": lambda names: {"Authorization": f"HMAC-SHA256 SignedHeaders={';'.join(names)}&Signature=abc="},
    "Azure App Configuration": lambda names: {
        "Authorization": f"HMAC-SHA256 Credential=0&SignedHeaders={';'.join(names)}&Signature=abc="
    },
    "Alibaba ACS3": lambda names: {
        "Authorization": f"ACS3-HMAC-SHA256 Credential=AK,SignedHeaders={';'.join(names)},Signature=1"
    },
    "Alibaba OSS4": lambda names: {
        "Authorization": f"OSS4-HMAC-SHA256 Credential=AK/x,AdditionalHeaders={';'.join(names)},Signature=1"
    },
    "Alibaba API gateway": lambda names: {"X-Ca-Signature": "a=", "X-Ca-Signature-Headers": ",".join(names)},
    "Tencent TC3": lambda names: {
        "Authorization": f"TC3-HMAC-SHA256 Credential=AK/x, SignedHeaders={';'.join(names)}, Signature=1"
    },
    "Tencent COS": lambda names: {
        "Authorization": f"q-sign-algorithm=sha1&q-header-list={';'.join(names)}&q-url-param-list=&q-signature=1"
    },
    "Huawei": lambda names: {
        "Authorization": f"SDK-HMAC-SHA256 Access=AK, SignedHeaders={';'.join(names)}, Signature=1"
    },
    "Baidu": lambda names: {"Authorization": f"bce-auth-v1/AK/2026-11-28T00:00:00Z/1800/{';'.join(names)}/ab12"},
    "draft-cavage in Authorization": lambda names: {
        "Authorization": f'Signature version="1",keyId="k",headers="(request-target) {" ".join(names)}",signature="a="'
    },
    "draft-cavage in Signature": lambda names: {
        "Signature": f'keyId="https://a/b#main-key",algorithm="hs2019",headers="{" ".join(names)}",signature="a="'
    },
    "Acquia": lambda names: {
        "Authorization": f'acquia-http-hmac realm="a",id="b",nonce="c",headers="{"%3B".join(names)}",x="y"'
    },
    "Apache APISIX": lambda names: {"X-HMAC-SIGNED-HEADERS": ";".join(names)},
    "RFC 9421": lambda names: {
        "Signature-Input": f'sig1=("@method" {quoted(names)});created=1;keyid="k"',
        "Signature": "sig1=:YQ==:",
    },
    "RFC 9421, two signatures and parameters": lambda names: {
        "Signature-Input": f'a=("@authority");keyid="(x", b=("@query-param";name="a)b" {quoted(names)};sf);tag="t"',
        "Signature": "a=:YQ==:, b=:YQ==:",
    },
    "to a proxy": lambda names: {
        "Proxy-Authorization": f"AWS4-HMAC-SHA256 Credential=AK, SignedHeaders={';'.join(names)}, Signature=1"
    },
}
QUERIES = {
    "AWS": lambda names: (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders={quote(';'.join(names))}&X-Amz-Signature=1"
    ),
    "AWS, unquoted": lambda names: f"X-Amz-SignedHeaders={';'.join(names)}",
    "Google": lambda names: f"a=1&X-Goog-SignedHeaders={quote(';'.join(names))}&X-Goog-Signature=1",
    "Alibaba OSS4": lambda names: f"x-oss-additional-headers={quote(';'.join(names))}&x-oss-signature=1",
    "Volcengine": lambda names: f"X-SignedHeaders={quote(';'.join(names))}&X-Signature=1",
    "Tencent COS": lambda names: f"q-sign-algorithm=sha1&q-header-list={quote(';'.join(names))}&q-signature=1",
    "Baidu": lambda names: "authorization=" + quote(f"bce-auth-v1/AK/2026/1800/{';'.join(names)}/ab", safe=""),
}


def sign(headers, names):
    """`headers` with a SigV4-like signature of those called `names`, in lower case."""
    digest = _digest({name.lower(): value for name, value in headers.items()}, names)
    return {
        **headers,
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AK/x, SignedHeaders={';'.join(names)}, Signature={digest}",
    }


def is_valid(headers):
    """Whether what came, a dict by names in lower case, is what was signed."""
    _, _, listed = headers["authorization"].partition("SignedHeaders=")
    names, _, digest = listed.partition(", Signature=")
    return hmac.compare_digest(_digest(headers, names.split(";")), digest)


def _digest(headers, names):
    text = "\n".join(f"{name}:{headers.get(name, '').strip()}" for name in sorted(names))
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
