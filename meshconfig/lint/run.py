"""Runs the rules over documents."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from meshconfig.errors import dotted
from meshconfig.groups import Group, groups_among
from meshconfig.istio import Resource, Resources
from meshconfig.istio.resources import resource
from meshconfig.lint.copies import replaced
from meshconfig.lint.finding import Finding
from meshconfig.lint.index import Index, everything
from meshconfig.lint.origin import Rendered, rendered
from meshconfig.lint.registry import rules
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import Document
from meshconfig.spec.group import BackendName


def index(
    documents: Sequence[Document], *, default_namespace: str = "default", backend: BackendName | None = None
) -> Index:
    """Index the input of the rules: manifests, specs, and the resources that the specs render to.

    Parameters:
        backend: replaces that of each spec; None to keep it.

    Raises:
        InputError: a spec is invalid, or a manifest has a field of a type that Kubernetes refuses. A document that is
            neither is left out.
    """
    specs = groups_among(documents, backend)
    given = [(document.value, document) for document in documents if not (document.own or document.foreign)]
    resources = Resources.parse(given, default_namespace=default_namespace, keep_unreadable=True)
    made = (resource(manifest, source) for group in specs for manifest, source in rendered(group))
    joined = replace(Resources.of((*everything(resources), *made)), unreadable=resources.unreadable)
    rollouts, lanes = (tuple(one for one in documents if one.own and one.kind == kind) for kind in ("Rollout", "Lane"))
    return Index(joined, tuple(specs), resources, replaced(resources, joined), rollouts, lanes)


def lint(subject: Index, *, ignored: Iterable[str] = ()) -> list[Finding]:
    """All findings, sorted by place.

    Parameters:
        ignored: the codes of rules to skip.
    """
    skipped = frozenset(ignored)
    found = {_finding(rule, hit) for rule in rules() if rule.code not in skipped for hit in _hits(rule, subject)}
    return sorted(found)


def _hits(rule: Rule, subject: Index) -> Iterable[Hit]:
    if rule.resources:
        yield from rule.resources(subject)
    if rule.spec:
        for group in subject.groups:
            yield from rule.spec(group, subject)


def _finding(rule: Rule, hit: Hit) -> Finding:
    owner, path = hit.owner, hit.path
    source = owner.source if isinstance(owner, Resource) else None
    if isinstance(source, Rendered):
        owner, path = source.group, source.field(path)
    if isinstance(owner, Group):
        location, whose = owner.locate(path), f"LaneGroup {'/'.join(owner.key)}"
    else:
        location, whose = owner.locate(*path), str(owner)
    return Finding(location, rule.code, dotted(path), hit.message, whose, hit.level or rule.level)
