"""Merging label maps: old ids stay, all disagreements at once, what rules do, what must always hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers.label_maps import MAPS, NAMES
from tfrec_tools.errors import LabelConflict
from tfrec_tools.formats.classes import read_classes
from tfrec_tools.labels.conflicts import similar, spellings
from tfrec_tools.labels.label_map import ClassList, Label, LabelMap, from_names
from tfrec_tools.labels.merge import Merged, MergedClass, merge
from tfrec_tools.labels.naming import MergeRules
from tfrec_tools.labels.spelling import is_similar, normal

LABELS = st.builds(
    lambda name, shown, points: Label(1, name, shown, points),
    NAMES,
    st.sampled_from(["", "x", "y"]),
    st.sampled_from([(), ((1, "nose"),), ((2, "eye"),)]),
)
TOLD_MAPS = st.lists(LABELS, unique_by=lambda label: label.name, max_size=6).map(
    lambda labels: LabelMap(
        tuple(Label(i, a.name, a.display_name, a.keypoints) for i, a in enumerate(labels, 1))
    )
)


def listed(subject: str, *labels: tuple[Any, ...], lowest_id: int = 1) -> ClassList:
    return ClassList(tuple(Label(*label) for label in labels), subject, lowest_id)


def conflicts(*sources: ClassList | LabelMap, rules: MergeRules | None = None) -> LabelConflict:
    with pytest.raises(LabelConflict) as caught:
        merge(*sources, rules=rules or MergeRules())
    return caught.value


def test_merge_keeps_old_ids_and_appends_new_names() -> None:
    merged = merge(from_names(["b", "a"]), from_names(["c", "a"]), from_names(["d", "c", "b"]))
    assert merged.label_map.names == ("b", "a", "c", "d")
    assert merged.tables == ({1: 1, 2: 2}, {1: 3, 2: 2}, {1: 4, 2: 3, 3: 1})
    assert merged.rows[1] == (MergedClass("c", 1, "c", 3), MergedClass("a", 2, "a", 2))


def test_what_a_map_says_of_its_classes_is_kept() -> None:
    first = LabelMap((Label(1, "a", "A", ((1, "nose"),)),))
    second = LabelMap((Label(4, "a", "other"), Label(5, "b", "B", ((2, "eye"),))))
    assert merge(first, second).label_map.labels == (first.labels[0], Label(2, "b", "B", ((2, "eye"),)))


GAPPY = listed("old.pbtxt", (1, "a"), (4, "b"))


def test_gaps_of_the_first_map_are_refused_with_two_ways_out() -> None:
    refused = conflicts(GAPPY, from_names(["c"]))
    assert str(refused).startswith("old.pbtxt: ids 2, 3 are missing")
    assert "--keep-gaps" in str(refused)
    assert "--renumber" in str(refused)
    assert merge(from_names(["c"]), GAPPY).tables[1] == {1: 2, 4: 3}


def test_keep_gaps_and_renumber() -> None:
    kept = merge(GAPPY, from_names(["c", "a"]), rules=MergeRules(first_ids="keep gaps"))
    assert kept.label_map.id_by_name == {"a": 1, "b": 4, "c": 5}
    assert kept.tables == ({1: 1, 4: 4}, {1: 5, 2: 1})
    anew = merge(GAPPY, from_names(["c", "a"]), rules=MergeRules(first_ids="renumber"))
    assert anew.label_map.id_by_name == {"a": 1, "b": 2, "c": 3}
    assert anew.tables == ({1: 1, 4: 2}, {1: 3, 2: 1})


def test_id_0_of_the_first_map() -> None:
    zero = listed("old.json", (0, "it's"), (1, "b"), lowest_id=0)
    for first_ids in ("contiguous", "keep gaps"):
        refused = str(conflicts(zero, rules=MergeRules(first_ids=first_ids)))
        assert refused.startswith('old.json: id 0 of "it\'s" cannot stay')
        assert "--renumber counts from 1, --ignore 'it'\\''s' leaves it out" in refused
    assert merge(zero, rules=MergeRules(first_ids="renumber")).tables == ({0: 1, 1: 2},)
    assert merge(zero, rules=MergeRules(ignore=frozenset(["it's"]))).tables == ({1: 1},)


def test_id_0_of_another_map_is_a_fault_unless_its_format_counts_so() -> None:
    first = from_names(["a"])
    assert merge(first, listed("coco.json", (0, "b"), lowest_id=0)).tables[1] == {0: 2}
    refused = conflicts(first, listed("new.pbtxt", (0, "b")))
    assert str(refused) == "new.pbtxt: id 0 of 'b' is below 1"
    assert merge(first, listed("new.pbtxt", (0, "b")), rules=MergeRules(first_ids="renumber")).tables[1] == {
        0: 2
    }


def test_a_wild_id_costs_no_time_and_no_page() -> None:
    text = str(conflicts(listed("old.pbtxt", (1, "a"), (2**31 - 1, "b"))))
    assert "19, 20, 21, ... (2147483645) are missing" in text
    assert len(text) < 500


WAYS_OUT = (
    "cannot stay in a map contiguous from 1: --keep-gaps keeps them, as a trained model needs; --renumber "
    "counts from 1 and gives the table"
)
SETTLED = "differ only in spelling: --alias 'W B_C=wbc,WBC=wbc' makes them one class"


def test_all_disagreements_are_in_one_error() -> None:
    old = listed("old.pbtxt", (1, "a"), (1, "b"), (5, "wbc"))
    new = listed("new.pbtxt", (-1, "c"), (2, ""), (3, "d"), (4, "d"), (5, "WBC"), (6, "W B_C"))
    assert conflicts(old, new, rules=MergeRules(renames={"x": "y"})).conflicts == (
        "old.pbtxt: id 1 stands 2 times ('a', 'b')",
        f"old.pbtxt: ids 2, 3, 4 are missing, so that its ids {WAYS_OUT}",
        "new.pbtxt: id -1 of 'c' is below 1",
        "new.pbtxt: the name of id 2 is empty",
        "new.pbtxt: name 'd' stands 2 times (ids 3, 4)",
        "--alias or --rename names 'x', which is no class of the maps",
        f"'wbc' (old.pbtxt), 'W B_C' (new.pbtxt), 'WBC' (new.pbtxt) {SETTLED}",
    )


def test_aliases_settle_spellings_under_the_name_that_they_give() -> None:
    old, new = from_names(["rbc", "wbc"]), from_names(["white blood cell", "WBC"])
    rules = MergeRules(aliases={"wbc": "WBC", "white blood cell": "WBC", "unused": "x"})
    merged = merge(old, new, rules=rules)
    assert merged.label_map.names == ("rbc", "WBC")
    assert merged.tables == ({1: 1, 2: 2}, {1: 2, 2: 2})
    assert merged.rows[1][0] == MergedClass("white blood cell", 1, "WBC", 2)


def test_spellings_that_are_meant_stay_two_classes() -> None:
    old, new = from_names(["a", "A"]), from_names(["A"])
    assert "differ only in spelling" in str(conflicts(old, new))
    assert merge(old, new, rules=MergeRules(aliases={"A": "A"})).tables == ({1: 1, 2: 2}, {1: 2})


def test_several_names_become_one_class() -> None:
    signs = from_names(["stop", "left", "right"])
    arrow = {"left": "arrow", "right": "arrow"}
    refused = conflicts(signs, rules=MergeRules(renames={"left": "arrow", "stop": "arrow"}))
    assert "ids 2 ('left') are missing" in str(refused)
    assert merge(signs, rules=MergeRules(renames=arrow)).tables == ({1: 1, 2: 2, 3: 2},)
    assert merge(from_names(["x"]), signs, rules=MergeRules(renames=arrow)).tables[1] == {1: 2, 2: 3, 3: 3}


def test_of_classes_that_become_one_that_of_the_name_keeps_its_id() -> None:
    old = from_names(["wbc", "x", "WBC"])
    merged = merge(old, rules=MergeRules(renames={"wbc": "WBC"}, first_ids="keep gaps"))
    assert merged.label_map.id_by_name == {"x": 2, "WBC": 3}
    assert merged.tables == ({1: 3, 2: 2, 3: 3},)


def test_names_may_change_places() -> None:
    merged = merge(from_names(["a", "b"]), rules=MergeRules(renames={"a": "b", "b": "a"}))
    assert merged.label_map.names == ("b", "a")


def test_a_new_name_is_not_shown_as_the_old_one() -> None:
    merged = merge(LabelMap((Label(1, "RBC", "RBC"),)), rules=MergeRules(renames={"RBC": "red"}))
    assert merged.label_map.labels == (Label(1, "red"),)


def test_ignore_and_only() -> None:
    old, new = from_names(["a", "b"]), from_names(["junk", "c", "b"])
    merged = merge(old, new, rules=MergeRules(ignore=frozenset(["junk"])))
    assert merged.label_map.names == ("a", "b", "c")
    assert merged.rows[1][0] == MergedClass("junk", 1, None, None)
    assert merged.tables[1] == {2: 3, 3: 2}
    only = merge(old, new, rules=MergeRules(renames={"c": "a"}, only=frozenset(["a"])))
    assert (only.label_map.names, only.tables) == (("a",), ({1: 1}, {2: 1}))
    assert "ids 1 ('a') are missing" in str(conflicts(old, new, rules=MergeRules(ignore=frozenset(["a"]))))


def test_what_is_ignored_is_no_fault() -> None:
    tflite = listed("labels.txt", (1, "???"), (2, "a"), (3, "???"))
    merged = merge(from_names(["a"]), tflite, rules=MergeRules(ignore=frozenset(["???"])))
    assert merged.tables[1] == {2: 1}


def test_rules_of_classes_that_are_none() -> None:
    rules = MergeRules(ignore=frozenset(["Platelet"]), only=frozenset(["rbc"]))
    assert conflicts(from_names(["Platelets", "RBC"]), rules=rules).conflicts == (
        "--ignore names 'Platelet', which is no class of the maps, perhaps 'Platelets'",
        "--only names 'rbc', which is no class of the maps, perhaps 'RBC'",
    )


ZOO = LabelMap((Label(1, "/m/01g317", "person"), Label(2, "/m/04dr76w", "bottle")), "zoo.pbtxt")


def test_a_mid_is_known_by_its_display_name() -> None:
    merged = merge(ZOO, from_names(["raccoon", "bottle"]))
    assert merged.label_map.labels == (*ZOO.labels, Label(3, "raccoon"))
    assert merged.rows[1][1] == MergedClass("bottle", 2, "/m/04dr76w", 2)
    records = from_names(["/m/04dr76w"])  # whose manifest tells names only
    assert (
        merge(ZOO, records).tables[1] == merge(from_names(["x", "bottle"]), records, ZOO).tables[1] == {1: 2}
    )
    assert merge(ZOO, rules=MergeRules(renames={"bottle": "flask"})).label_map.labels[1] == Label(2, "flask")
    assert merge(ZOO, from_names(["Bottle"]), rules=MergeRules(renames={"Bottle": "bottle"})).tables[1] == {
        1: 2
    }


def test_mids_that_disagree() -> None:
    other = listed("other", (1, "/m/01g317", "man"))
    assert "'/m/01g317' is displayed as 'person' (zoo.pbtxt), 'man' (other)" in str(conflicts(ZOO, other))
    both = listed("both", (1, "/m/01g317", "person"), (2, "person"))
    assert str(conflicts(both)) == "both: '/m/01g317' and 'person' are both known as 'person'"
    assert "'person' (zoo.pbtxt), 'Person'" in str(conflicts(ZOO, from_names(["Person"])))


def test_suggestions() -> None:
    old = from_names(["Platelets", "berry", "card 1", "cat", "person", "beer"])
    new = LabelMap(
        (Label(1, "Platelet"), Label(2, "berries"), Label(3, "card 2"), Label(4, "car"), Label(5, "bear"))
    )
    shown = LabelMap((Label(1, "n04", "Person"), Label(2, "presno"), Label(3, "Cat")))
    assert similar([old, new, shown], MergeRules(aliases={"bear": "bear"})) == [
        ("Platelet", "Platelets"),
        ("berries", "berry"),
        ("n04", "person"),
    ]
    assert similar([from_names(["bear", "beer"])], MergeRules()) == []
    assert spellings([old, shown], MergeRules()) == [("cat", "Cat")]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("platelet", "plateltes", True),
        ("mushroom", "mushrom", True),
        ("pear", "bear", True),
        ("cat", "car", False),
        ("ace1", "ace2", False),
        ("bus", "buses", True),
        ("queen", "king", False),
        ("s", "ss", False),
        ("", "s", False),
    ],
)
def test_similar_names(one: str, two: str, expected: bool) -> None:
    assert is_similar(one, two) == is_similar(two, one) == expected


def test_normal_form() -> None:
    assert normal("White_blood-cell") == normal("WHITE BLOOD CELL") == "whitebloodcell"
    assert normal("\N{FULLWIDTH LATIN CAPITAL LETTER W}") == "w"
    assert normal("_-") == "_-"


@given(MAPS, MAPS, MAPS)
def test_merge_is_contiguous_stable_and_idempotent(
    first: LabelMap, second: LabelMap, third: LabelMap
) -> None:
    merged = merge(first, second, third)
    assert [label.id for label in merged.label_map.labels] == list(range(1, len(merged.label_map) + 1))
    assert merged.label_map.names[: len(first)] == first.names
    for source, table in zip((first, second, third), merged.tables, strict=True):
        assert {merged.label_map.name_by_id[table[label.id]] for label in source.labels} == set(source.names)
    assert merge(merged.label_map, first, second, third).label_map.labels == merged.label_map.labels


@given(MAPS, MAPS, MAPS)
def test_tables_compose(first: LabelMap, second: LabelMap, third: LabelMap) -> None:
    step = merge(first, second)
    both = merge(step.label_map, third)
    at_once = merge(first, second, third)
    assert both.label_map.labels == at_once.label_map.labels
    composed = tuple({old: both.tables[0][new] for old, new in table.items()} for table in step.tables)
    assert composed == at_once.tables[:2]


def in_zoo_style(names: list[str], by_mid: list[bool]) -> LabelMap:
    """A map in which some classes are mids with a display_name."""
    return LabelMap(
        tuple(
            Label(i, f"/m/{name}", name) if mid else Label(i, name)
            for i, (name, mid) in enumerate(zip(names, by_mid, strict=False), start=1)
        )
    )


ZOO_MAPS = st.builds(
    in_zoo_style, st.lists(NAMES, unique=True, max_size=6), st.lists(st.booleans(), min_size=6, max_size=6)
)


@given(ZOO_MAPS, ZOO_MAPS, ZOO_MAPS)
def test_tables_compose_where_classes_are_mids(first: LabelMap, second: LabelMap, third: LabelMap) -> None:
    step = merge(first, second)
    both = merge(step.label_map, third)
    composed = tuple({old: both.tables[0][new] for old, new in table.items()} for table in step.tables)
    at_once = merge(first, second, third)
    assert (*composed, both.tables[1]) == at_once.tables
    assert merge(at_once.label_map, third, second, first).label_map.labels == at_once.label_map.labels


RENAMES = st.dictionaries(NAMES, NAMES, max_size=3)


@given(TOLD_MAPS, st.lists(TOLD_MAPS, min_size=2, max_size=3), RENAMES, st.frozensets(NAMES, max_size=2))
def test_the_order_of_new_maps_decides_nothing_but_ids(
    first: LabelMap, others: list[LabelMap], aliases: dict[str, str], ignore: frozenset[str]
) -> None:
    names = {name for label_map in (first, *others) for name in label_map.names}
    rules = MergeRules(aliases=aliases, ignore=ignore & names, first_ids="renumber")
    assume(len(names) > len(first))
    orders = permutations(range(len(others)))
    results = {without_ids(first, [others[i] for i in order], order, rules) for order in orders}
    assert len(results) == 1


def without_ids(first: LabelMap, others: Sequence[LabelMap], order: Sequence[int], rules: MergeRules) -> Any:
    """Classes and tables by name; sources in their given order."""
    merged: Merged = merge(first, *others, rules=rules)
    classes = frozenset(
        (label.name, label.display_name, label.keypoints) for label in merged.label_map.labels
    )
    rows = dict(zip(order, merged.rows[1:], strict=True))
    tables = tuple(tuple((row.name, row.new_name) for row in rows[i]) for i in sorted(rows))
    return classes, merged.label_map.labels[: len(set(merged.tables[0].values()))], tables


def test_cocos_90_ids_and_a_new_class(shared: Path) -> None:
    coco = read_classes(shared / "data/coco_tiny_38/annotations/instances_val2017.json")
    raccoon = read_classes(shared / "data/raccoon/training")
    gaps = "ids 12, 26, 29, 30, 45, 66, 68, 69, 71, 83 are missing"
    assert gaps in str(conflicts(coco, raccoon))
    kept = merge(coco, raccoon, rules=MergeRules(first_ids="keep gaps"))
    assert kept.label_map.id_by_name["toothbrush"] == 90
    assert kept.tables[0] == {label.id: label.id for label in coco.labels}
    assert (kept.label_map.names[-1], kept.tables[1]) == ("raccoon", {1: 91})
    anew = merge(coco, raccoon, rules=MergeRules(first_ids="renumber"))
    assert anew.label_map.gaps == ()
    assert (anew.tables[0][90], anew.tables[1]) == (80, {1: 81})
    assert list(anew.tables[0].values()) == list(range(1, 81))


def test_playing_cards_and_blood_cells(shared: Path) -> None:
    cards = read_classes(shared / "data/playing_cards/training/labelmap.pbtxt")
    bccd = read_classes(shared / "data/bccd/BCCD")
    roboflow = read_classes(shared / "data/roboflow_rbc_wbc_coco/train/_annotations.coco.json")
    merged = merge(cards, bccd)
    assert merged.label_map.names == (
        "nine",
        "ten",
        "jack",
        "queen",
        "king",
        "ace",
        "Platelets",
        "RBC",
        "WBC",
    )
    assert merged.tables == ({i: i for i in range(1, 7)}, {1: 7, 2: 8, 3: 9})
    assert len(conflicts(cards, bccd, roboflow).conflicts) == 2
    rules = MergeRules(renames={"rbc": "RBC", "wbc": "WBC"})
    assert merge(cards, bccd, roboflow, rules=rules).tables[2] == {1: 8, 2: 9}
