"""A change as Markdown, for a comment on a pull request: who answers what before and after, and the steps."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from meshconfig.explain.preview import Preview, Row, Side, preview
from meshconfig.groups import Group
from meshconfig.printable import escape, escape_line

if TYPE_CHECKING:
    from meshconfig.cluster.change import Prepared
    from meshconfig.cluster.diff import ResourceDiff

_LONGEST = 60_000  # characters: GitHub refuses a comment of more than 65,536
_ROWS = 100
# GitHub Flavored Markdown, "Backslash escapes". `#` would link an issue, `@` mention a person, `<` begin HTML;
# `://` and `www.` begin a link by themselves.
_SPECIAL = re.compile(r"[\\`*_\[\]#|~]")
_BEGINNING = re.compile(r"[-+>=]|\d+[.)]")  # what makes a list, a quote or a heading at the beginning of a line
_BLANKS = re.compile(r"\s+")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    text = escape_line(_BLANKS.sub(" ", text).strip()).replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(r"\\\g<0>", text).replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")
    found = _BEGINNING.match(text)
    return f"{text[: found.end() - 1]}\\{text[found.end() - 1 :]}" if found else text


def preview_of(prepared: "Prepared", old: Group | None) -> Preview:
    """Who answers before and after a change.

    Parameters:
        old: the spec before it, where it is known.
    """
    from meshconfig.backend import backend

    wanted = prepared.wanted
    new = Group(wanted.spec, prepared.model, ())
    lifted = backend(prepared.model.backend).lift(prepared.live.state.values(), prepared.model.tag)
    before = Side([new, old] if old else [new], prepared.live.state.values(), lifted)
    after = Side([old, new] if old else [new], prepared.resources.values(), prepared.model.routing())
    return preview(before, after)


def plan_markdown(prepared: "Prepared", found: Preview) -> str:
    """The section about one group's plan."""
    steps = prepared.plan.steps
    kind = "consistent change" if prepared.plan.consistent else "change"
    count = f"{kind} in {len(steps)} step{'s' * (len(steps) > 1)}" if steps else "no change"
    return _section(prepared, found, count, list(_steps(prepared)) if steps else [])


def diff_markdown(prepared: "Prepared", found: Preview, before: str) -> str:
    """The section about one group's differences.

    Parameters:
        before: what the state before the change is called.
    """
    differing = prepared.differences
    count = (
        f"{len(differing)} resource{'s differ' if len(differing) > 1 else ' differs'}" if differing else "no difference"
    )
    return _section(prepared, found, count, [line for one in differing for line in _resource(one, before)])


def comment(command: str, sections: Sequence[str], notes: Iterable[str]) -> str:
    """The whole comment, no longer than GitHub takes. Its first line lets a later run find it."""
    tail = "".join(f"\n- {escaped(one)}" for one in notes) + "\n"
    text = f"<!-- graylane {command} -->\n" + "\n".join(sections)
    if len(text) + len(tail) > _LONGEST:
        text = _cut(text, _LONGEST - len(tail))
    return text + tail


def _cut(text: str, length: int) -> str:
    """The first lines of a text, with what is open in them closed."""
    lines, left = [], length - 200
    for line in text.splitlines():
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
    fences = [line for line in lines if re.fullmatch(r"`{3,}(diff)?", line)]
    closing = [fences[-1].removesuffix("diff")] if len(fences) % 2 else []
    opened = sum(line.startswith("<details>") for line in lines) - lines.count("</details>")
    return "\n".join([*lines, *closing, *["", "</details>"] * opened, "", "The rest is too long for a comment.", ""])


def _section(prepared: "Prepared", found: Preview, count: str, details: Sequence[str]) -> str:
    name = f"{prepared.wanted.namespace}/{prepared.wanted.group}"
    lines = [f"### {escaped(name)}: {count}", ""]
    lines += [_summary(found), ""]
    rows = list(_rows(found.rows))
    if rows:
        lines += ["| place | requests | before | after |", "|---|---|---|---|", *rows[:_ROWS]]
        lines += ["", f"{len(rows) - _ROWS} more rows are left out.", ""] if len(rows) > _ROWS else [""]
    lines += [f"- {escaped(one)}" for one in found.untried] + [""] * bool(found.untried)
    return "\n".join([*lines, *details])


def _summary(found: Preview) -> str:
    if not found.total:
        return "There is no entry and no route."
    if not found.changed:
        return f"No answer changes: {found.total} kinds of requests were compared."
    return f"**{found.changed} of {found.total}** kinds of requests are answered in another way."


def _rows(rows: Iterable[Row]) -> Iterator[str]:
    """The rows of a table; places that are answered alike are in one."""
    places: dict[tuple[tuple[str, ...], str, str], list[str]] = {}
    for row in rows:
        places.setdefault((row.requests, row.before, row.after), []).append(row.place)
    for (requests, before, after), found in places.items():
        cells = ("<br>".join(map(escaped, found)), "<br>".join(map(escaped, requests)), escaped(before), escaped(after))
        yield f"| {' | '.join(cells)} |"


def _steps(prepared: "Prepared") -> Iterator[str]:
    from meshconfig.cli.diff import parts_of

    plan = prepared.plan
    yield from (f"- {escaped(reason)}" for reason in plan.reasons)
    yield from (f"- **risk:** {escaped(risk)}" for risk in plan.risks)
    yield from ("", f"<details><summary>{len(plan.steps)} step{'s' * (len(plan.steps) > 1)}</summary>", "")
    for number, step in enumerate(plan.steps, 1):
        yield f"{number}. **{escaped(step.title)}**: {escaped(step.why)}"
        yield from (f"   - {escaped(part)}" for part in parts_of(step))
    yield from ("", "</details>", "")


def _resource(one: "ResourceDiff", before: str) -> Iterator[str]:
    text = escape(one.unified(before).rstrip("\n"))
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (
        f"<details><summary>{escaped(str(one))}</summary>",
        "",
        f"{fence}diff",
        text,
        fence,
        "",
        "</details>",
        "",
    )
