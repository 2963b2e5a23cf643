"""Runs the rules over documents."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from typing import Any

from meshconfig.errors import Location, dotted
from meshconfig.groups import Group, check_kind, groups
from meshconfig.istio import Resource, Resources
from meshconfig.istio.resources import identity
from meshconfig.lint.finding import Finding
from meshconfig.lint.index import Index, everything
from meshconfig.lint.origin import Rendered, rendered
from meshconfig.lint.registry import rules
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import Document, FieldPath


def index(documents: Sequence[Document], *, default_namespace: str = "default") -> Index:
    """Index the input of the rules: manifests, specs, and the resources that the specs render to.

    Raises:
        InputError: a spec is invalid, or a manifest has a field of a type that Kubernetes refuses. A document that is
            neither is left out.
    """
    own = [document for document in documents if document.own]
    for document in own:
        check_kind(document)
    specs = groups(own) if any(document.kind == "LaneGroup" for document in own) else []
    given = [(document.value, document) for document in documents if not (document.own or document.foreign)]
    resources = Resources.parse(given, default_namespace=default_namespace)
    made = Resources.parse(pair for group in specs for pair in rendered(group))
    return Index(_joined(resources, made), tuple(specs), resources)


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
        return _found(rule, owner.locate(path), path, hit.message, f"LaneGroup {'/'.join(owner.key)}")
    return _found(rule, owner.locate(*path), path, hit.message, str(owner))


def _found(rule: Rule, location: Location, path: FieldPath, message: str, whose: str) -> Finding:
    return Finding(location, rule.code, dotted(path), message, whose, rule.level)


def _joined(given: Resources, made: Resources) -> Resources:
    """All resources. A given one that a spec renders too, as in a directory beside the spec, is the spec's."""
    rendered_ones = {identity(one) for one in everything(made)}
    one, other = _without(given, rendered_ones), made
    return Resources(
        repeated=given.repeated,
        virtual_services=one.virtual_services + other.virtual_services,
        destination_rules=one.destination_rules + other.destination_rules,
        gateways=one.gateways + other.gateways,
        services=one.services + other.services,
        service_entries=one.service_entries + other.service_entries,
        workloads=one.workloads + other.workloads,
        namespaces=one.namespaces + other.namespaces,
        others=one.others + other.others,
    )


def _without(resources: Resources, identities: AbstractSet[tuple[str, str, str, str]]) -> Resources:
    def left(found: tuple[Resource[Any], ...]) -> tuple[Any, ...]:
        return tuple(one for one in found if identity(one) not in identities)

    if not identities:
        return resources
    kinds = [each.name for each in fields(Resources) if each.name != "repeated"]
    return replace(resources, **{kind: left(getattr(resources, kind)) for kind in kinds})
