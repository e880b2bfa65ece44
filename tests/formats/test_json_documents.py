"""JSON of tools: what is read fast is what is read with care, and values that are none come as None."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tfrec_tools.errors import InputError
from tfrec_tools.formats import json_values
from tfrec_tools.formats.json_documents import document


def read(folder: Path, text: str | bytes) -> Any:
    path = folder / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return document(path, "a document")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": [{"c": "x:y"}, [1.5, {}]]}',
        '{"a" : 1, "b"\n: {"\\"c\\":": "\\":"}}',
        '{"a": "half \\ud800"}',
        '["a:b", "c\\":", {"d": 1e999}]',
        '{"a": 99999999999999999999999999}',
        "3",
    ],
)
def test_what_is_read_is_what_python_reads(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == json.loads(text)
    assert read(tmp_path, b"\xef\xbb\xbf" + text.encode()) == json.loads(text)


def test_nan_is_a_number(tmp_path: Path) -> None:
    assert math.isnan(read(tmp_path, '{"a": [NaN]}')["a"][0])


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '[{"b": {"a" : 1, "c": 2, "a":1}}]',
        '{"a": "x:y", "a": 1}',
        '{"\\u0061": 1, "a": 2}',
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="the key 'a' stands twice in one object"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1}}', "\x00", b"\xff", '"' + "x" * 9, "[" * 9999, "9" * 9999]
)
def test_what_is_no_json_is_refused_by_one_line(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"expected a document") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, True, "1", "\ud800", [], {}, 10**400])
def test_values_that_are_no_numbers(value: Any) -> None:
    assert json_values.number(value) is None
    assert json_values.row([1, value], 2) is None
    assert json_values.numbers({"a": 1, "b": value}, ("a", "b")) is None
    assert json_values.points([[1, 2], [3, value]]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (2.5, "2.5"), ("nan", "nan"), (math.nan, ""), (math.inf, ""), (-math.inf, ""), (True, ""),
     (10**400, "1" + "0" * 400)],
)  # fmt: skip
def test_texts_are_texts_and_numbers(value: Any, text: str) -> None:
    assert json_values.text(value) == text


@pytest.mark.parametrize(
    ("value", "size"),
    [(3, 3), (3.9, 3), ("17", 17), (None, 0), (-1, 0), ("x", 0), (math.inf, 0), ([], 0), ({1: 1}, 0)],
)
def test_sizes_of_images(value: Any, size: int) -> None:
    assert json_values.pixels(value) == size


def test_texts_can_be_written() -> None:
    assert [json_values.text(value) for value in ("a", 1, "\ud800", True, None)] == [
        "a",
        "1",
        "\\ud800",
        "",
        "",
    ]
