"""Options as one declaration each: what they accept, and what is kept of them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest

from tfrec_tools.errors import InputError
from tfrec_tools.system.options import (
    Option,
    Options,
    Panel,
    Paths,
    StrPath,
    Words,
    as_path,
    as_paths,
    as_texts,
    declarations,
    narrowed,
    recorded,
    recorded_texts,
)


@dataclass(frozen=True)
class Meal(Options):
    dishes: Annotated[Paths, Option("What is eaten.", argument=True, recorded=False)]
    _: KW_ONLY
    guests: Annotated[int | Literal["all"], Option("Who eats.", Panel.SOURCE, minimum=1, maximum=9)] = "all"
    salt: Annotated[float, Option("How much.", minimum=0)] = 0.5
    bread: Annotated[Literal["white", "rye"], Option("Which.")] = "white"
    notes: Annotated[Words | None, Option("What else.")] = None
    place: Annotated[StrPath | None, Option("Where.")] = None
    warm: Annotated[bool, Option("Warm it.")] = False


@dataclass(frozen=True)
class Bread(Options):
    _: KW_ONLY
    bread: Annotated[Literal["white", "rye"], Option("Which.")] = "white"


def test_declarations_say_what_each_option_is() -> None:
    by_name = {declared.name: declared for declared in declarations(Meal)}
    assert list(by_name) == ["dishes", "guests", "salt", "bread", "notes", "place", "warm"]
    assert (by_name["dishes"].several, by_name["dishes"].required, by_name["dishes"].flag) == (
        True,
        True,
        "dishes",
    )
    assert by_name["guests"].choices == ("all",)
    assert by_name["place"].kinds == (str, Path)
    assert by_name["notes"].several
    assert not by_name["place"].several


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"guests": 0}, "--guests: is 0, expected at least 1 at most 9"),
        ({"guests": 10}, "--guests: is 10, expected at least 1 at most 9"),
        ({"guests": "none"}, "--guests: 'none' is none of all"),
        ({"salt": float("nan")}, "--salt: is nan, expected at least 0"),
        ({"bread": "brown"}, "--bread: 'brown' is none of white, rye"),
    ],
)
def test_what_is_out_of_range_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError) as caught:
        Meal("soup", **values)  # type: ignore[arg-type]
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"guests": True}, "--guests: is True, expected a whole number or one of all"),
        ({"guests": 2.5}, "--guests: is 2.5, expected a whole number or one of all"),
        ({"guests": [2]}, "--guests: is [2], expected a whole number or one of all"),
        ({"salt": "a little"}, "--salt: is 'a little', expected a number"),
        ({"salt": None}, "--salt: is None, expected a number"),
        ({"bread": 3}, "--bread: is 3, expected one of white, rye"),
        ({"bread": ["rye"]}, "--bread: is ['rye'], expected one of white, rye"),
        ({"notes": {"a": "b"}}, "--notes: is {'a': 'b'}, expected text, or a list of such"),
        ({"notes": ["a", 3]}, "--notes: is 3, expected text, or a list of such"),
        ({"place": 7}, "--place: is 7, expected a path or text"),
        ({"place": ["here"]}, "--place: is ['here'], expected a path or text"),
        ({"warm": "yes"}, "--warm: is 'yes', expected true or false"),
        ({"warm": 1}, "--warm: is 1, expected true or false"),
        ({"dishes": None}, "dishes: is None, expected a path or text, or a list of such"),
        ({"dishes": ["soup", b"x"]}, "dishes: is b'x', expected a path or text, or a list of such"),
    ],
)
def test_what_is_of_another_kind_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError) as caught:
        Meal(**{"dishes": "soup"} | values)  # type: ignore[arg-type]
    assert str(caught.value) == reason


def test_numbers_of_numpy_are_numbers() -> None:
    meal = Meal("soup", guests=np.int64(3), salt=np.float32(0.25))  # type: ignore[arg-type]
    assert recorded(meal) == {"guests": 3, "salt": 0.25}
    assert [type(value) for value in recorded(meal).values()] == [int, float]
    with pytest.raises(InputError, match="--guests: is 12, expected at least 1 at most 9"):
        Meal("soup", guests=np.int64(12))  # type: ignore[arg-type]


def test_what_is_kept() -> None:
    meal = Meal(["soup"], guests=3, notes=("a", "b"), place=Path("here"), warm=True)
    assert recorded(meal) == {"guests": 3, "notes": ["a", "b"], "place": "here", "warm": True}
    assert recorded(Meal("soup"), whole=True) == {
        "guests": "all",
        "salt": 0.5,
        "bread": "white",
        "warm": False,
    }
    texts = {"guests": "3", "notes": "a b", "place": "here", "warm": "true"}
    assert recorded_texts(meal) == texts
    assert recorded(Meal("soup")) == {}


def test_what_two_share_is_taken_over() -> None:
    assert narrowed(Bread, Meal("soup", bread="rye")) == Bread(bread="rye")
    assert narrowed(Meal, Bread(bread="rye"), dishes="soup").bread == "rye"


def test_values_and_lists_of_them() -> None:
    assert as_paths("a") == as_paths(["a"]) == as_paths((Path("a"),)) == (Path("a"),)
    assert as_texts([Path("a"), "b*"]) == ("a", "b*")
    assert as_texts(None) == ()
    assert as_path("a") == as_path(Path("a")) == Path("a")
