"""Protocol buffers' text format without a schema: a tree to read, and edits that leave the rest alone.

TFOD's `pipeline.config` has hundreds of messages and users' files hold fields of every version. Here a
file is only fields in order, each with its place in the text, so that an edit replaces the characters
of one value and every other line and comment stays as it is.
Format: https://protobuf.dev/reference/protobuf/textformat-spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+|\#[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | (?P<mark>[{}<>:\[\]])
      | (?P<word>[^\s{}<>:\[\]"'\#,;]+)""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">"}
_DEEPEST = 100  # blocks in blocks; TFOD's have 10
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as it is written, and where: text[start:end]."""

    written: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """A name with its value, or with several in [a, list]; text[start:end], the values from `values_at`."""

    name: str
    values: tuple[Scalar | Message, ...]
    start: int
    values_at: int
    end: int


@dataclass(frozen=True, slots=True)
class Message:
    """Fields in order, repeated ones as often as they stand; `end` is where a field can be added."""

    fields: tuple[Field, ...]
    start: int
    end: int

    def named(self, name: str) -> list[Field]:
        return [field for field in self.fields if field.name == name]

    def messages(self, name: str) -> list[Message]:
        return [value for field in self.named(name) for value in field.values if isinstance(value, Message)]

    def scalars(self, name: str) -> list[Scalar]:
        return [value for field in self.named(name) for value in field.values if isinstance(value, Scalar)]


class TextError(ValueError):
    """Text that is not in the format; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Message:
    """Returns the fields of a text; raises TextError where it is not in the format."""
    tokens = list(_tokens(text))
    _require_shallow(text, tokens)
    fields, _ = _fields(text, tokens, 0, closing="")
    return Message(tuple(fields), 0, len(text))


def _require_shallow(text: str, tokens: list[_Token]) -> None:
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text in "{<[") - (token.text in "}>]")
            if depth > _DEEPEST:
                raise TextError(
                    _line(text, token.start), f"is nested more than {_DEEPEST} deep, expected about 10"
                )


def unquote(written: str) -> str:
    """Returns the text of a string literal, or the word itself where it is not quoted."""
    if written[:1] not in ("'", '"'):
        return written
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), written[1:-1])


def quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise TextError(_line(text, position), f"found {text[position]!r}, expected a field or a value")
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match[0], match.start(), match.end())
        position = match.end()


def _fields(text: str, tokens: list[_Token], position: int, closing: str) -> tuple[list[Field], int]:
    fields: list[Field] = []
    while position < len(tokens) and tokens[position].text != closing:
        name = tokens[position]
        if name.kind != "word":
            raise TextError(_line(text, name.start), f"found {name.text!r}, expected the name of a field")
        position += 1
        if position < len(tokens) and tokens[position].text == ":":
            position += 1
        first = position
        values, position = _values(text, tokens, position, name)
        end = tokens[position - 1].end
        fields.append(Field(name.text, tuple(values), name.start, tokens[first].start, end))
    return fields, position


def _values(
    text: str, tokens: list[_Token], position: int, name: _Token
) -> tuple[list[Scalar | Message], int]:
    """Returns the value of a field, or the values of a [list, of, them]."""
    if position < len(tokens) and tokens[position].text == "[":
        values: list[Scalar | Message] = []
        position += 1
        while position < len(tokens) and tokens[position].text != "]":
            value, position = _value(text, tokens, position, name)
            values.append(value)
        if position >= len(tokens):
            raise TextError(_line(text, name.start), f"the list of {name.text!r} is never closed")
        return values, position + 1
    value, position = _value(text, tokens, position, name)
    return [value], position


def _value(text: str, tokens: list[_Token], position: int, name: _Token) -> tuple[Scalar | Message, int]:
    if position >= len(tokens):
        raise TextError(_line(text, name.start), f"field {name.text!r} has no value")
    token = tokens[position]
    if token.text in _CLOSING:
        return _message(text, tokens, position)
    if token.kind == "mark":
        raise TextError(_line(text, token.start), f"found {token.text!r}, expected a value of {name.text!r}")
    last = position
    while token.kind == "string" and last + 1 < len(tokens) and tokens[last + 1].kind == "string":
        last += 1  # adjacent literals are one string
    parts = tokens[position : last + 1]
    written = token.text if last == position else quote("".join(unquote(part.text) for part in parts))
    return Scalar(written, token.start, parts[-1].end), last + 1


def _message(text: str, tokens: list[_Token], position: int) -> tuple[Message, int]:
    opening = tokens[position]
    fields, position = _fields(text, tokens, position + 1, _CLOSING[opening.text])
    if position >= len(tokens):
        raise TextError(_line(text, opening.start), f"{opening.text!r} is never closed")
    return Message(tuple(fields), opening.end, tokens[position].start), position + 1


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def replace(text: str, path: tuple[str, ...], written: str) -> str:
    """Returns the text with the scalar field at `path` set to `written`, in every message that the path
    names: added where such a message lacks it, once where it is repeated. A path whose messages are missing
    changes nothing."""
    parents = [parse(text)]
    for name in path[:-1]:
        parents = [child for parent in parents for child in parent.messages(name)]
    edits: list[tuple[int, int, str]] = []
    for parent in parents:
        fields = parent.named(path[-1])
        if not fields:
            edits.append(_addition(text, parent, f"{path[-1]}: {written}"))
        edits += [(field.values_at, field.end, written) for field in fields[:1]]
        edits += [_removal(text, field) for field in fields[1:]]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _addition(text: str, parent: Message, field: str) -> tuple[int, int, str]:
    """Returns an edit that adds a field at the end of a message, indented like its last field."""
    line_start = text.rfind("\n", 0, parent.end) + 1
    closing_indent = text[line_start : parent.end]
    if closing_indent.strip() or line_start <= parent.start:  # all on one line
        return parent.end, parent.end, f" {field} "
    return line_start, line_start, f"{closing_indent}  {field}\n"


def _removal(text: str, field: Field) -> tuple[int, int, str]:
    """Returns an edit that takes a field away, with its line where nothing else stands on that."""
    line_start = text.rfind("\n", 0, field.start) + 1
    line_end = text.find("\n", field.end) + 1 or len(text)
    if (text[line_start : field.start] + text[field.end : line_end]).strip():
        return field.start, field.end, ""
    return line_start, line_end, ""
