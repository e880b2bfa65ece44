"""Label maps: round trip, merging, and every contradiction at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.labels import Label, LabelMap, format_label_map, from_names, merge, read_label_map

NAMES = st.text(min_size=1).filter(lambda name: name == name.strip() and name)
MAPS = st.lists(NAMES, unique=True, max_size=8).map(from_names)


def read(tmp_path, text):
    path = tmp_path / "map.pbtxt"
    path.write_text(text, encoding="utf-8")
    return read_label_map(path)


@given(names=st.lists(NAMES, min_size=1, unique=True, max_size=8))
def test_round_trip(tmp_path_factory, names):
    label_map = from_names(names)
    assert read(tmp_path_factory.mktemp("m"), format_label_map(label_map)).labels == label_map.labels


def test_what_tfod_says_of_a_class_is_kept(tmp_path):
    labels = (Label(3, "/m/01g317", "person", ((1, "nose"), (2, "l'eye"))), Label(5, "Plättchen"))
    again = read(tmp_path, format_label_map(LabelMap(labels)))
    assert again.labels == labels
    assert again.gaps == (1, 2, 4)
    assert again.name_by_id == {3: "/m/01g317", 5: "Plättchen"}


def test_maps_as_people_write_them(tmp_path):
    text = """# cards
    item { id: 2, name: 'queen' },
    item {
      name: "l\\'as"   # an escape
      id: 1
      frequency: FREQUENT
    }
    """.replace("},", "}")
    assert read(tmp_path, text).id_by_name == {"l'as": 1, "queen": 2}


def test_every_contradiction_is_listed(tmp_path):
    text = "item{id:1 name:'a'} item{id:1 name:'b'} item{id:0 name:'c'} item{id:3 name:'a'} item{id:4}"
    with pytest.raises(LabelConflict) as caught:
        read(tmp_path, text)
    assert caught.value.conflicts == (
        "id 0 of 'c' is below 1",
        "the name of id 4 is empty",
        "id 1 stands 2 times ('a', 'b')",
        "name 'a' stands 2 times (ids 1, 3)",
    )
    assert str(caught.value).startswith(f"{tmp_path / 'map.pbtxt'}: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no item { id: ... name: ... } found"),
        ("item {\n id: 1\n name: 'a'\n", "not a label map"),
        ("item {\n id: one\n}", "line 2: not a label map"),
        ("item {\n id: 99999999999\n}", "line 2: not a label map"),
    ],
)
def test_what_is_no_label_map(tmp_path, text, reason):
    with pytest.raises(InputError, match=f"map.pbtxt: .*{reason}"):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none.pbtxt: cannot be read as a label map \(No such file"):
        read_label_map(tmp_path / "none.pbtxt")
    (tmp_path / "a.pbtxt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"byte 0 is not UTF-8"):
        read_label_map(tmp_path / "a.pbtxt")


def test_merge_keeps_old_ids_and_appends_new_names():
    merged = merge(from_names(["b", "a"]), from_names(["c", "a"]), from_names(["d", "c", "b"]))
    assert merged.label_map.names == ("b", "a", "c", "d")
    assert merged.tables == ({1: 1, 2: 2}, {1: 3, 2: 2}, {1: 4, 2: 3, 3: 1})


def test_merge_refuses_gaps_only_in_the_first_map():
    gappy = LabelMap((Label(1, "a"), Label(4, "b")), "old.pbtxt")
    with pytest.raises(LabelConflict, match=r"old.pbtxt: ids 2, 3 are missing"):
        merge(gappy, from_names(["c"]))
    assert merge(from_names(["c"]), gappy).tables[1] == {1: 2, 4: 3}


@given(MAPS, MAPS, MAPS)
def test_merge_is_contiguous_stable_and_idempotent(first, second, third):
    merged = merge(first, second, third)
    assert [label.id for label in merged.label_map.labels] == list(range(1, len(merged.label_map) + 1))
    assert merged.label_map.names[: len(first)] == first.names
    for source, table in zip((first, second, third), merged.tables, strict=True):
        assert {merged.label_map.name_by_id[table[label.id]] for label in source.labels} == set(source.names)
    assert merge(merged.label_map, first, second, third).label_map.labels == merged.label_map.labels


@given(MAPS, MAPS, MAPS)
def test_tables_compose(first, second, third):
    step = merge(first, second)
    both = merge(step.label_map, third)
    at_once = merge(first, second, third)
    assert both.label_map.labels == at_once.label_map.labels
    composed = tuple({old: both.tables[0][new] for old, new in table.items()} for table in step.tables)
    assert composed == at_once.tables[:2]


def test_real_maps_merge(shared):
    cards = read_label_map(shared / "data/playing_cards/training/labelmap.pbtxt")
    assert cards.names == ("nine", "ten", "jack", "queen", "king", "ace")
    merged = merge(cards, from_names(["RBC", "ace"]))
    assert (merged.label_map.id_by_name["RBC"], merged.tables[1]) == (7, {1: 7, 2: 6})
