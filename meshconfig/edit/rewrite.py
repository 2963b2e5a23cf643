"""Changes values in a YAML or JSON text, and keeps its comments, order, quotes and layout.

ruamel.yaml (for JSON, the json module) writes the new document, which `layout` then lays out like the old text.
"""

import json
from collections.abc import Sequence
from typing import Any

import yaml
from ruamel.yaml.error import YAMLError

from meshconfig.edit.layout import laid_out
from meshconfig.edit.roundtrip import changed
from meshconfig.errors import InputError
from meshconfig.load import Document, Loader, parse
from meshconfig.yaml_nodes import hide_colons

MARK = "\ufeff"  # a byte order mark is not part of the YAML


def documents(text: str, file: str) -> list[Document]:
    """Like `meshconfig.load.parse`, but with positions in the text without its byte order mark, as `rewrite` needs."""
    return parse(text.removeprefix(MARK), file)


def span(text: str, document: Document) -> slice:
    """The part of a text (without its byte order mark) that is one of its `documents`, with the comments around it."""
    here, start = document.root.start_mark.index, 0
    for token in yaml.scan(hide_colons(text)[0], Loader=Loader):
        if isinstance(token, yaml.DocumentStartToken | yaml.DocumentEndToken):
            if token.start_mark.index > here:
                return slice(start, token.start_mark.index)
            start = token.end_mark.index
    return slice(start, len(text))


def rewrite(text: str, file: str, wanted: Sequence[Any]) -> str:
    """Change the values of a text's documents.

    Parameters:
        wanted: the new value for each of `documents(text, file)`.

    Raises:
        InputError: the new text would not read back as the wanted values, such as if a merge key adds a removed field.
    """
    mark = MARK if text.startswith(MARK) else ""
    bare = text.removeprefix(MARK)
    lines = bare.replace("\r\n", "\n")
    before = documents(lines, file)
    after = lines
    for document, value in reversed(list(zip(before, wanted, strict=True))):
        if document.value != value:
            part, root = span(lines, document), document.root.start_mark.index
            start = max(part.start, lines.rfind("\n", 0, root) + 1)  # comments above the document stay above it
            after = after[:start] + _edited(lines[start : part.stop], document, value) + after[part.stop :]
    _check(before, after, file, wanted)
    if after == lines:
        return text
    return mark + (after.replace("\n", "\r\n") if lines != bare else after)


def _edited(text: str, document: Document, value: Any) -> str:
    try:
        new = json.dumps(value, ensure_ascii=False) if _is_json(text) else changed(text, document.value, value)
        return laid_out(new, text)
    except YAMLError as error:
        line = document.root.start_mark.line + 1
        said = " ".join(str(error).split())
        raise InputError.at(document.file, f"cannot be edited, edit it by hand: {said}", line=line) from None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _check(before: Sequence[Document], text: str, file: str, wanted: Sequence[Any]) -> None:
    """Check that the text reads back as the wanted values. YAML has too many forms to be sure otherwise."""
    try:
        after = [document.value for document in parse(text, file)]
    except InputError as error:
        raise InputError.at(file, f"cannot be edited, edit it by hand: it would not be read ({error})") from None
    for number, document in enumerate(before):
        if len(after) != len(before) or after[number] != wanted[number]:
            line = document.root.start_mark.line + 1
            raise InputError.at(file, "cannot be edited, edit it by hand: the change would say more", line=line)
