"""What somebody who may write ConfigMaps may have written into graylane's records: damaged, forged, or far too much."""

import base64
import copy
import gzip
import json
import zlib


def bomb(megabytes):
    """A gzip member of zeros, a thousandth of what it unpacks to."""
    packer, zeros = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1 << 20)
    return b"".join([*(packer.compress(zeros) for _ in range(megabytes)), packer.flush()])


def _packed(data):
    return base64.b64encode(gzip.compress(data)).decode()


_GOOD = gzip.compress(b"{}" * 500)
# Values of `binaryData` that are no packed JSON mapping or list of what belongs there.
DAMAGED = {
    "no base64": "%%%",
    "not of ASCII": "ä",
    "no gzip": base64.b64encode(b"plain").decode(),
    "empty": "",
    "cut short": base64.b64encode(_GOOD[:-12]).decode(),
    "a wrong block": base64.b64encode(_GOOD[:10] + b"\x07" + b"\xff" * 20).decode(),
    "a wrong checksum": base64.b64encode(_GOOD[:-8] + bytes(8)).decode(),
    "a bomb": base64.b64encode(bomb(64)).decode(),
    "no JSON": _packed(b"x"),
    "not UTF-8": _packed(b'{"metadata": "\xff"}'),
    "too deep": _packed(b"[" * 100_000 + b"]" * 100_000),
    "as deep as Python goes": _packed(b"[" * 900 + b"]" * 900),
    "too many values": _packed(b"[" + b"[]," * 600_000 + b"[]]"),
    "nothing": _packed(b"null"),
    "a number": _packed(b"1e999"),
    "a text": _packed(b'"metadata"'),
    "a list of numbers": _packed(b"[1, 2, 3]"),
    "lists of the wrong length": _packed(b'[["VirtualService", "demo"]]'),
    "other fields": _packed(b'{"metadata": {"name": 7, "namespace": ["demo"]}}'),
    "NaN": _packed(b"[NaN]"),
}


def copied(manifest, name, **changes):
    """A ConfigMap like another one, with another name; `changes` are merged into its parts."""
    one = copy.deepcopy(manifest)
    one["metadata"] = {**one["metadata"], "name": name}
    for part in ("resourceVersion", "uid"):
        one["metadata"].pop(part, None)
    for field, value in changes.items():
        if field == "labels":
            one["metadata"]["labels"] = {**one["metadata"]["labels"], **value}
        else:
            one[field] = {**(one.get(field) or {}), **value}
    return one


def edited(text, *path, to):
    """A JSON text with one value changed, or removed where `to` is Ellipsis."""
    value = json.loads(text)
    *parents, last = path
    here = value
    for part in parents:
        here = here[part]
    if to is ...:
        del here[last]
    else:
        here[last] = to
    return json.dumps(value)
