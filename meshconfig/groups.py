"""Reads groups from files. Documents that name the same group form one spec; every error has its file and line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshconfig.compile import compile_group
from meshconfig.errors import InputError, Location, nearest, shown
from meshconfig.load import OWN, Document, FieldPath, empty, load
from meshconfig.model import Model
from meshconfig.spec import Envelope, LaneGroup
from meshconfig.spec.base import API_VERSION, validate
from meshconfig.spec.document import KEPT
from meshconfig.spec.group import BackendName

GROUP = "LaneGroup"
KINDS = OWN
# Fields whose items documents of one group may share out.
_BY_NAME = ("lanes", "services", "consumers", "labels", "annotations")


@dataclass(frozen=True, slots=True)
class Group:
    """One group's spec, the model that it compiles to, and the documents that it comes from."""

    spec: LaneGroup
    model: Model = field(repr=False, compare=False)
    documents: tuple[Document, ...] = field(repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """The group's namespace and name."""
        return self.spec.metadata.namespace, self.spec.metadata.name

    @property
    def document(self) -> dict[str, Any]:
        """The group as one value of `graylane.dev/v1`, as `graylane render --object` prints it, with its namespace."""
        found = _object(self)
        return {**found, "metadata": {**found["metadata"], "namespace": self.spec.metadata.namespace}}

    def locate(self, path: Sequence[str | int]) -> Location:
        """The file and line of a field of the merged spec."""
        return _locate(self.documents, path)


def read(sources: Iterable[str], backend: BackendName | None = None) -> list[Group]:
    """Reads and compiles the groups in files, directories or standard input (`-`).

    Parameters:
        sources: as for `meshconfig.load.load`; the documents of one group may be spread over several files.
        backend: replaces that of each spec; None to keep it.

    Raises:
        InputError: a spec cannot be read, is invalid or does not compile. Each problem has its file, line, field and
            reason.
    """
    return groups(load(sources), sources, backend)


def groups_among(documents: Sequence[Document], backend: BackendName | None = None) -> list[Group]:
    """The groups among documents of any kind; empty where there is none.

    Parameters:
        backend: as for `read`.

    Raises:
        InputError: as for `groups`.
    """
    for document in (one for one in documents if one.own):
        check_kind(document)
    return groups(documents, backend=backend) if any(one.own and one.kind == GROUP for one in documents) else []


def groups(
    documents: Iterable[Document], sources: Iterable[str] = (), backend: BackendName | None = None
) -> list[Group]:
    """Compiles the groups among documents. Other kinds of graylane, and what is not meant for it, are skipped.

    Parameters:
        sources: the names of the files, for the error where no document is a group.
        backend: as for `read`.

    Raises:
        InputError: as for `read`; also for a document of graylane whose kind is unknown, and for several documents of
            one group where one of them is of `graylane.dev/v1`.
    """
    found = _by_group(documents, sources)
    for parts in found:
        _check_alone(parts)
    return [_group(parts, backend) for parts in found]


def objects(documents: Iterable[Document], sources: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The groups among documents as values of `graylane.dev/v1`, one for each group, whatever number of documents it
    is spread over. The order of fields is that of the documents; what a cluster has added is left out.

    Raises:
        InputError: as for `groups`, but several documents of one group are joined.
    """
    return [_object(_group(parts, None)) for parts in _by_group(documents, sources)]


def _by_group(documents: Iterable[Document], sources: Iterable[str]) -> list[tuple[Document, ...]]:
    given = list(documents)
    found: dict[tuple[str, str], list[Document]] = {}
    for document in (one for one in given if one.own):
        check_kind(document)
        if document.kind == GROUP:
            found.setdefault(_key(document), []).append(document)
    if not found:
        raise _no_group(given, sources)
    return [tuple(parts) for parts in found.values()]


def _check_alone(documents: Sequence[Document]) -> None:
    """A cluster has one object for a name, so that of several documents the last applied would be the whole group."""
    if len(documents) == 1 or all(one.value.get("apiVersion") != API_VERSION for one in documents):
        return
    files = list(dict.fromkeys(one.file for one in documents))
    first = documents[0].locate(("metadata", "name"))
    message = f"a second document of this group, beside {first}, and a group of {API_VERSION} is one document; to join"
    command = "graylane render --object " + " ".join(f"-f {file}" for file in files)
    raise InputError([documents[1].problem(("metadata", "name"), f"{message} them: {command}")])


def _object(group: Group) -> dict[str, Any]:
    values = [one.value for one in group.documents]
    metadata = {name: part for name, part in values[0]["metadata"].items() if name in KEPT}
    for name in ("labels", "annotations"):
        joined: dict[str, str] = {}
        for document in group.documents:
            joined = _joined(joined, document.value["metadata"].get(name, {}), document, ("metadata", name))
        metadata |= {name: joined} if joined else {}
    spec = _merged(group.documents)["spec"]
    return {"apiVersion": API_VERSION, "kind": GROUP, "metadata": metadata, "spec": spec}


def _no_group(documents: Sequence[Document], sources: Iterable[str]) -> InputError:
    if not documents:
        return empty(sources)
    for document in documents:
        if isinstance(document.value, dict) and "spec" in document.value and not document.kind:
            return InputError([document.problem(("kind",), f"this field is required: {' or '.join(KINDS)}")])
    kinds = sorted({document.kind or "documents without a kind" for document in documents})
    shown = ", ".join(kinds[:5]) + (" …" if len(kinds) > 5 else "")
    return InputError.at(", ".join(sources) or "input", f"no document of kind {GROUP} here, but {shown}")


def check_kind(document: Document) -> None:
    """Checks that a document is of one of graylane's kinds.

    Raises:
        InputError: it has no kind, or an unknown one.
    """
    if not document.kind:
        raise InputError([document.problem(("kind",), f"this field is required: {' or '.join(KINDS)}")])
    if isinstance(document.value["kind"], dict | list):
        raise InputError(
            [document.problem(("kind",), f"takes {' or '.join(KINDS)}, not {shown(document.value['kind'])}")]
        )
    if document.kind not in KINDS:
        raise InputError([document.problem(("kind",), f"unknown kind {document.kind}{nearest(document.kind, KINDS)}")])


def _key(document: Document) -> tuple[str, str]:
    metadata = document.value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return str(metadata.get("namespace", "default")), str(metadata.get("name", ""))


def _group(documents: tuple[Document, ...], backend: BackendName | None) -> Group:
    value = documents[0].value if len(documents) == 1 else _merged(documents)

    def locate(path: Sequence[str | int]) -> Location:
        return _locate(documents, path)

    spec = validate(LaneGroup, value, locate)
    if backend:
        spec = spec.of_backend(backend)
    return Group(spec, compile_group(spec, locate), documents)


def _merged(documents: Sequence[Document]) -> dict[str, Any]:
    """Merges documents into one spec: lanes and services by name, entries in order. Other fields must not differ."""
    merged: dict[str, Any] = {}
    for document in documents:
        validate(Envelope, {name: part for name, part in document.value.items() if name != "spec"}, document.locate)
        spec = document.value.get("spec")
        if not isinstance(spec, dict):
            raise InputError([document.problem(("spec",), "takes a mapping")])
        for name, part in spec.items():
            merged[name] = _joined(merged[name], part, document, ("spec", name)) if name in merged else part
    return {**documents[0].value, "spec": merged}


def _joined(one: Any, other: Any, document: Document, path: FieldPath) -> Any:
    if path[-1] in _BY_NAME and isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in other:
            if name in one and one[name] != other[name]:
                raise InputError([document.problem((*path, name), "another file of this group has another value")])
        return {**one, **other}
    if isinstance(one, list) and isinstance(other, list):
        return one + other
    if one != other:
        raise InputError([document.problem(path, "another file of this group has another value")])
    return one


def _locate(documents: Sequence[Document], path: Sequence[str | int]) -> Location:
    match tuple(path):
        case ("spec", "entries", int(index), *rest):
            return _locate_entry(documents, index, rest)
    for length in range(len(path), 0, -1):
        for document in documents:
            if document.has(path[:length]):
                return document.locate(path)
    return documents[0].locate(path)


def _locate_entry(documents: Sequence[Document], index: int, rest: Sequence[str | int]) -> Location:
    """The place of a field of an entry; a group has the entries of its documents, one document after the other."""
    for document in documents:
        count = len(document.value["spec"].get("entries") or ())
        if index < count:
            return document.locate(("spec", "entries", index, *rest))
        index -= count
    return documents[0].locate(("spec", "entries"))
