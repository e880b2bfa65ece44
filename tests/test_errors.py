"""Errors: one line with file, place and reason, also after a journey through another process."""

from __future__ import annotations

import pickle

import pytest

from tfrec_tools.errors import InputError, LabelConflict, Parts, TfrecError, counted, parts_of


def test_an_input_error_names_file_place_and_reason() -> None:
    assert str(InputError("a.csv", "xmin is 'x'", where="line 3")) == "a.csv: line 3: xmin is 'x'"
    assert str(InputError("a.csv", "is empty")) == "a.csv: is empty"


def test_a_label_conflict_lists_all() -> None:
    assert str(LabelConflict("a.pbtxt", ["id 0", "id 1"])) == "a.pbtxt: id 0; id 1"


def test_the_parts_of_a_reason() -> None:
    whole = InputError("a", "is 'x, expected; y', expected one of a, b (or c; d); remove it", where="line 3")
    assert whole.parts == Parts("a", "line 3", "is 'x, expected; y'", "one of a, b (or c; d)", "remove it")
    assert parts_of("given 2 times") == Parts(found="given 2 times")
    assert parts_of("expected a folder") == Parts(expected="a folder")
    assert parts_of("the source's own, its images' sizes; go on") == Parts(
        found="the source's own, its images' sizes", hint="go on"
    )
    assert parts_of('has "a; b" in it; c; d') == Parts(found='has "a; b" in it', hint="c; d")
    assert TfrecError("x; y").parts == Parts(found="x", hint="y")
    assert LabelConflict("a", ["b", "c"]).parts.found == "b; c"


def test_errors_survive_pickling() -> None:
    for fault in (InputError("a", "c", where="b"), LabelConflict("a", ["b", "c"])):
        again = pickle.loads(pickle.dumps(fault))
        assert type(again) is type(fault)
        assert str(again) == str(fault)


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [(1, "image", "1 image"), (0, "image", "0 images"), (2, "box", "2 boxes"), (3, "class", "3 classes")],
)
def test_numbers_of_things(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words
