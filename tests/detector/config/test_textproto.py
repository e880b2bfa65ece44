"""Text protos without a schema: reading, and edits that leave the rest alone."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.detector.config import textproto

TEXT = """# a comment {
model {
  name: "a" 'b'   # adjacent literals are one
  sizes: [1, 2,
          3]
  inner < flag: true; >
}
model: { name: 'second' }
"""


def test_reads_messages_scalars_lists_and_comments() -> None:
    first, second = textproto.parse(TEXT).messages("model")
    assert [textproto.unquote(scalar.written) for scalar in first.scalars("name")] == ["ab"]
    assert [scalar.written for scalar in first.scalars("sizes")] == ["1", "2", "3"]
    assert first.messages("inner")[0].scalars("flag")[0].written == "true"
    assert textproto.unquote(second.scalars("name")[0].written) == "second"


def test_replacing_changes_only_the_value() -> None:
    assert textproto.replace(TEXT, ("model", "inner", "flag"), "false") == TEXT.replace("true", "false")


def test_replacing_everywhere_the_path_leads() -> None:
    edited = textproto.replace(TEXT, ("model", "name"), '"x"')
    assert edited == TEXT.replace("\"a\" 'b'", '"x"').replace("'second'", '"x"')


def test_a_repeated_field_stands_once_after_replacing() -> None:
    text = "a {\n  b: 1\n  c: 0\n  b: 2  # two\n  b: 3\n}\n"
    assert textproto.replace(text, ("a", "b"), "9") == "a {\n  b: 9\n  c: 0\n    # two\n}\n"
    assert textproto.replace("a { b: [1, 2] }", ("a", "b"), "9") == "a { b: 9 }"


def test_a_missing_field_is_added_where_it_belongs() -> None:
    assert textproto.replace("a {\n  b: 1\n}\n", ("a", "c"), "2") == "a {\n  b: 1\n  c: 2\n}\n"
    assert textproto.replace("a { b: 1 }", ("a", "c"), "2") == "a { b: 1  c: 2 }"
    assert textproto.replace("a { b: 1 }", ("x", "c"), "2") == "a { b: 1 }"


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a {\n  b: 1\n", 1, "never closed"),
        ("a {\n}\n}", 3, "expected the name of a field"),
        ("a:\n", 1, "has no value"),
        ("a: [1, 2", 1, "never closed"),
        ("a: }", 1, "expected a value"),
        ('\n"a": 1', 2, "expected the name of a field"),
        ('a: "open\n', 1, "expected a field or a value"),
    ],
)
def test_faults_name_their_line(text: str, line: int, found: str) -> None:
    with pytest.raises(textproto.TextError, match=found) as caught:
        textproto.parse(text)
    assert caught.value.line == line


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(textproto.TextError):
        assert textproto.parse(text).end == len(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_quoting_is_undone_by_reading(value: str) -> None:
    if "\n" not in value:
        scalar = textproto.parse(f"a: {textproto.quote(value)}").scalars("a")[0]
        assert textproto.unquote(scalar.written) == value
