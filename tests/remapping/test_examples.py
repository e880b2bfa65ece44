"""One Example under another label map: inverse, composition, and every byte that is not a class's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers.examples import IDS, PICTURE, ROW, VALUES, BoxRow, Values, record_of
from tests.helpers.label_maps import MAPS, NAMES
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.labels.id_tables import Tables, new_names
from tfrec_tools.labels.label_map import LabelMap, from_names
from tfrec_tools.labels.merge import MergedClass, merge
from tfrec_tools.labels.naming import MergeRules
from tfrec_tools.remapping.classes import Classes, classes_of
from tfrec_tools.remapping.examples import UnknownClassError, remap
from tfrec_tools.tfrecords import spans as spans_
from tfrec_tools.tfrecords import wire
from tfrec_tools.tfrecords.example import encode_example, parse_example, without_image
from tfrec_tools.tfrecords.spans import OddLayoutError, find, find_around, guess, only_value

HERE = Path("tables.json")
UNKNOWN = ("image/object/track", "my own/feature", "image/é")


def classes(own: LabelMap, rows: tuple[MergedClass, ...], new: LabelMap, **more: object) -> Classes:
    renamed = new_names(Tables(HERE, (rows,)), own.name_by_id)
    return classes_of(own.name_by_id, "own.pbtxt", renamed, new, (), more.get("always"))  # type: ignore[arg-type]


def plain(own: LabelMap, new: LabelMap, always: frozenset[str] | None = None) -> Classes:
    return classes_of(own.name_by_id, "own.pbtxt", {}, new, (), always)


def inverse(rows: tuple[MergedClass, ...], new: LabelMap) -> tuple[MergedClass, ...]:
    """What the new map's classes were; those of other maps are left out."""
    back = [
        MergedClass(row.new_name, row.new_id, row.name, row.old_id)
        for row in rows
        if row.new_name is not None and row.new_id is not None
    ]
    known = {row.name for row in back}
    return (
        *back,
        *(MergedClass(each.name, each.id, None, None) for each in new.labels if each.name not in known),
    )


@st.composite
def examples(draw: st.DrawFn, own: LabelMap, labeled: bool = True) -> bytes:
    """Of boxes of the map's classes, with features that nobody knows."""
    names = draw(st.lists(st.sampled_from(own.names), max_size=5)) if own.names else []
    rows = [((1, 2, 30, 40 + i), name, False, False, False) for i, name in enumerate(names)]
    subset = st.frozensets(st.sampled_from(own.names), min_size=1) if labeled and own.names else st.none()
    data = encode_example(record_of(rows, labeled=draw(st.none() | subset)), PICTURE, own.id_by_name)
    message = example_pb2.Example.FromString(data)
    for key in draw(st.lists(st.sampled_from(UNKNOWN), unique=True)):
        message.features.feature[key].float_list.value.append(0.5)
    return message.SerializeToString(deterministic=True)


@given(st.data(), MAPS.filter(len), MAPS, st.dictionaries(NAMES, NAMES, max_size=3))
def test_remapping_there_and_back_is_nothing(
    data: st.DataObject, own: LabelMap, other: LabelMap, aliases: dict[str, str]
) -> None:
    merged = merge(own, other, rules=MergeRules(aliases=aliases, first_ids="keep gaps"))
    rows = merged.rows[0]
    assume(len({row.new_id for row in rows}) == len(rows))
    before = data.draw(examples(own))
    there = remap(before, classes(own, rows, merged.label_map)).data
    back = remap(there, classes(merged.label_map, inverse(rows, merged.label_map), own)).data
    assert back == before
    parsed = parse_example(there, "")
    renamed = {row.name: row.new_name for row in rows}
    assert parsed.record.names == tuple(renamed[name] for name in parse_example(before, "").record.names)
    assert parsed.label_ids == tuple(merged.label_map.id_by_name[name] for name in parsed.record.names)


@given(st.data(), MAPS.filter(len), MAPS, MAPS)
def test_steps_compose(data: st.DataObject, first: LabelMap, second: LabelMap, third: LabelMap) -> None:
    step = merge(first, second)
    both = merge(step.label_map, third)
    before = data.draw(examples(first))
    once = remap(before, plain(first, both.label_map))
    twice = remap(remap(before, plain(first, step.label_map)).data, plain(step.label_map, both.label_map))
    assert (once.data, once.names, once.faults) == (twice.data, twice.names, twice.faults)
    assert remap(once.data, plain(both.label_map, both.label_map)).data == once.data


@given(st.dictionaries(st.sampled_from([*UNKNOWN, "b" * 99, "c"]), VALUES), st.sampled_from(["a", "c", "d"]))
def test_entries_are_found_replaced_put_in_and_taken_out(features: dict[str, Values], key: str) -> None:
    data = wire.serialize(features)
    assert list(find(data, 0, len(data))) == [name.encode() for name in sorted(features)]
    new = {key: ("int64", [1, 2, 300])}
    put_in = changed(data, {key.encode(): wire.entry(key, *new[key])})
    assert put_in == wire.serialize(features | new)
    taken_out = changed(put_in, {key.encode(): None})
    left = {name: value for name, value in features.items() if name != key}
    assert taken_out == (wire.serialize(left) if left else b"")


def changed(data: bytes, changes: dict[bytes, bytes | None]) -> bytes:
    spans = find(data, 0, len(data))
    return b"".join(map(bytes, spans_.changed(data, spans, changes, (len(data), len(data)))))


@given(st.sampled_from(["before", "z"]), st.binary(max_size=300), st.none() | st.binary(max_size=300))
def test_a_picture_is_left_as_it_is_between_what_changes(key: str, picture: bytes, new: bytes | None) -> None:
    data = wire.serialize({name: ("bytes", [picture]) for name in ("before", "picture", "z")})
    spans = find(data, 0, len(data))
    entry = None if new is None else wire.entry(key, "bytes", [new])
    parts = spans_.changed(data, spans, {key.encode(): entry}, only_value(data, spans[b"picture"]))
    assert bytes(parts[1]) == picture
    assert b"".join(map(bytes, parts)) == changed(data, {key.encode(): entry})


def guessed(data: bytes) -> tuple[int, int]:
    found = guess(data, b"image/encoded")
    assert found is not None
    return found


@given(st.data(), MAPS.filter(len), MAPS)
def test_without_its_picture_an_example_becomes_the_same(
    data: st.DataObject, own: LabelMap, other: LabelMap
) -> None:
    before = data.draw(examples(own))
    merged = merge(own, other)
    start, stop = guessed(before)
    assert before[start:stop] == PICTURE.data
    cut = before[:start] + before[stop:]
    spans, whole = find_around(cut, start, stop - start), find(before, 0, len(before))
    assert list(spans) == list(whole)
    assert spans[b"image/encoded"][2] == start
    how = classes(own, merged.rows[0], merged.label_map)
    assert remap(cut, how, None, (start, PICTURE.data)) == remap(before, how)


def test_a_guess_that_is_wrong_is_not_confirmed() -> None:
    picture = wire.entry("image/encoded", "bytes", [b"p" * 200])
    inside = wire.example([wire.entry("a", "bytes", [picture]), wire.entry("z", "int64", [1])])
    start, stop = guessed(inside)
    spans = find_around(inside[:start] + inside[stop:], start, stop - start)
    assert list(spans) == [b"a", b"z"]  # the picture's key is not among them
    for place in (start - 1, start + 1):
        with pytest.raises(OddLayoutError):
            find_around(inside[:place] + inside[place + 200 :], place, 200 + 1)
    assert guess(inside[: start - 3], b"image/encoded") is None
    assert guess(inside, b"image/other") is None


def pieces(data: bytes) -> list[bytes]:
    return [data[first:last] for first, _, last in find(data, 0, len(data)).values()]


def test_layouts_that_nobody_writes_are_read_too() -> None:
    data = encode_example(record_of([((1, 2, 30, 40), "WBC", False, False, False)]), PICTURE, IDS)
    own, new = from_names(IDS), from_names(["x", "RBC", "WBC", "Plättchen"])
    own = LabelMap(tuple(type(label)(IDS[label.name], label.name) for label in own.labels))
    expected = remap(data, plain(own, new)).data
    parts = pieces(data)
    in_two = wire.example(parts[:4]) + wire.example(parts[4:])
    twice = wire.example([parts[0], *parts])
    backwards = wire.example(parts[::-1])
    assert remap(in_two, plain(own, new)).data == expected
    assert remap(twice, plain(own, new)).data == expected
    assert sorted(pieces(remap(backwards, plain(own, new)).data)) == sorted(pieces(expected))
    for cut in (1, 5, len(data) // 2, len(data) - 1):
        with pytest.raises(ValueError, match=r"no tf\.train\.Example"):
            remap(data[:cut], plain(own, new))


def test_what_the_manifest_hashes_is_what_verify_hashes() -> None:
    data = encode_example(record_of([((1, 2, 30, 40), "WBC", False, False, False)]), PICTURE, IDS)
    own = LabelMap(tuple(type(from_names("a").labels[0])(i, name) for name, i in IDS.items()))
    found = remap(data, plain(own, from_names(["WBC", "RBC", "Plättchen"])))
    assert found.hashed == without_image(found.data, PICTURE.data)
    assert len(found.hashed) == len(found.data) - len(PICTURE.data)


OWN, NEW = from_names(["left", "right", "junk"]), from_names(["arrow", "cat"])
ROWS = (
    MergedClass("left", 1, "arrow", 1),
    MergedClass("right", 2, "arrow", 1),
    MergedClass("junk", 3, None, None),
)


def of(*names: str, labeled: frozenset[str] | None = None, **features: Values) -> bytes:
    rows = [((i, 2, 30, 40), name, False, False, False) for i, name in enumerate(names)]
    data = encode_example(record_of(rows, labeled=labeled), PICTURE, OWN.id_by_name)
    keys = {key: f"image/object/{key}" for key in features}
    new: dict[bytes, bytes | None] = {
        keys[key].encode(): wire.entry(keys[key], *value) for key, value in features.items()
    }
    return changed(data, new)


def test_several_become_one_and_a_class_that_is_left_out_takes_its_boxes_with_it() -> None:
    data = of("junk", "left", "right", weight=("float", [1, 2, 3]), keypoint=("int64", [1, 1, 2, 2, 3, 3]))
    found = remap(data, classes(OWN, ROWS, NEW))
    parsed = parse_example(found.data, "")
    assert (parsed.record.names, parsed.label_ids) == (("arrow", "arrow"), (1, 1))
    assert parsed.record.boxes_xyxy[:, 0].round().tolist() == [1, 2]
    features = example_pb2.Example.FromString(found.data).features.feature
    assert features["image/object/weight"].float_list.value == [2, 3]
    assert features["image/object/keypoint"].int64_list.value == [2, 2, 3, 3]
    assert parsed.record.labeled == {"arrow"}


def test_a_feature_that_cannot_be_divided_by_boxes_keeps_a_class_from_being_left_out() -> None:
    with pytest.raises(ValueError, match="image/object/weight has 3 values for 2 boxes"):
        remap(of("junk", "left", weight=("float", [1, 2, 3])), classes(OWN, ROWS, NEW))


@pytest.mark.parametrize(
    ("labeled", "expected"),
    [
        (None, {"arrow"}),
        (frozenset({"left", "right"}), {"arrow"}),
        (frozenset({"left", "right", "junk"}), {"arrow"}),
    ],
)
def test_what_an_image_was_annotated_for(labeled: frozenset[str] | None, expected: set[str]) -> None:
    found = remap(of("left", labeled=labeled), classes(OWN, ROWS, NEW))
    assert parse_example(found.data, "").record.labeled == expected


def test_half_of_a_class_is_not_annotated_for_it() -> None:
    with pytest.raises(UnknownClassError, match="annotated for none of the classes"):
        remap(of("left", labeled=frozenset({"left"})), classes(OWN, ROWS, NEW))


def test_labeled_overrules_the_record() -> None:
    data = of("left", labeled=frozenset({"left", "right"}))
    said = remap(data, classes(OWN, ROWS, NEW, always=frozenset({"cat"})))
    assert parse_example(said.data, "").record.labeled is None  # arrow, of which it has a box, and cat: all
    by_old_name = classes(OWN, ROWS, NEW, always=frozenset({"right"}))
    assert by_old_name.always == {"arrow"}


def test_ids_without_names_follow_the_sets_own_map() -> None:
    data = of("left", "right")
    nameless = changed(data, {b"image/object/class/text": None})
    found = remap(nameless, plain(OWN, from_names(["x", "left", "right", "junk"])))
    parsed = parse_example(found.data, "")
    assert (parsed.label_ids, parsed.record.names) == ((2, 3), ("", ""))
    assert found.names == ("left", "right")
    with pytest.raises(UnknownClassError, match="id 1 has no name in the record and none in a label map"):
        remap(nameless, plain(LabelMap(()), OWN))


@given(st.lists(ROW, max_size=4))
def test_a_name_that_is_not_its_ids_is_reported_and_counts(rows: list[BoxRow]) -> None:
    data = encode_example(record_of(rows), PICTURE, IDS)
    own = from_names(["RBC", "Plättchen", "a", "b", "c", "d", "WBC"])
    found = remap(data, plain(own, from_names(["a", "b", "c", "d", "WBC", "RBC", "Plättchen"])))
    assert found.names == tuple(row[1] for row in rows)
    wrong = [i for i, row in enumerate(rows) if row[1] != "RBC"]
    assert [box for box, _ in found.faults] == wrong
    said = {"WBC": "id 2 is 'Plättchen' in", "Plättchen": "id 7 is 'WBC' in"}
    assert all(message.startswith(said[rows[box][1]]) for box, message in found.faults)


def test_a_class_that_the_new_map_lacks() -> None:
    with pytest.raises(UnknownClassError, match=r"class 'junk' is not in label map.*left, right.*--table"):
        remap(of("junk"), plain(OWN, from_names(["left", "right"])))


def test_sizes_in_more_bytes_than_they_need_are_not_taken_for_others() -> None:
    short, odd = (
        b"\x0a\x09\x0a\x01k\x12\x04\x0a\x02\x0a\x00",
        b"\x0a\x89\x00\x0a\x01k\x12\x04\x0a\x02\x0a\x00",
    )
    for entry in (odd, short, odd, short):
        data = wire.example([entry])
        assert find(data, 0, len(data)) == {b"k": (2, 2 + entry.index(b"\x12") + 2, len(data))}
