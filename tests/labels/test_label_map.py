"""Label maps as TFOD writes them: round trip, what people write, every contradiction at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.labels.label_map import Label, LabelMap, from_names
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map

NAMES = st.text(min_size=1).filter(lambda name: name == name.strip() and name)


def read(tmp_path: Path, text: str) -> LabelMap:
    path = tmp_path / "map.pbtxt"
    path.write_text(text, encoding="utf-8")
    return read_label_map(path)


@given(names=st.lists(NAMES, min_size=1, unique=True, max_size=8))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    label_map = from_names(names)
    assert read(tmp_path_factory.mktemp("m"), format_label_map(label_map)).labels == label_map.labels


def test_what_tfod_says_of_a_class_is_kept(tmp_path: Path) -> None:
    labels = (Label(3, "/m/01g317", "person", ((1, "nose"), (2, "l'eye"))), Label(5, "Plättchen"))
    again = read(tmp_path, format_label_map(LabelMap(labels)))
    assert again.labels == labels
    assert again.gaps == (1, 2, 4)
    assert again.name_by_id == {3: "/m/01g317", 5: "Plättchen"}


def test_maps_as_people_write_them(tmp_path: Path) -> None:
    text = """\ufeff# cards
    item { id: 2, name: 'queen' },
    item {
      name: "l\\'as"   # an escape
      id: 1
      frequency: FREQUENT
    }
    item: < id: 4; name: "men's" ' shoe' >
    item {\r\n  name: "Pl\\303\\244ttchen",\r\n  id: 3,\r\n  display_name: " Plättchen"\r\n}\r\n"""
    assert read(tmp_path, text).id_by_name == {"l'as": 1, "queen": 2, "Plättchen": 3, "men's shoe": 4}


ROBOFLOW = """item {
    name: "RBC",
    id: 1,
    display_name: "RBC"
}
item {
    name: "WBC",
    id: 2,
    display_name: "WBC"
}
"""


def test_commas_as_roboflow_writes_them(tmp_path: Path) -> None:
    assert read(tmp_path, ROBOFLOW).labels == (Label(1, "RBC", "RBC"), Label(2, "WBC", "WBC"))


LVIS = """# of LVIS
item {
  name: "/m/1" id: %d display_name: "%s"
  frequency: RARE instance_count: 17
  ancestor_ids: [1, 2] descendant_ids: 3
  keypoints { id: 1 label: "nose" }
}
"""


@pytest.mark.parametrize("background", ["name: 'background'", "id: 0 name: 'b' display_name: 'background'"])
@pytest.mark.parametrize("start", ["", "\ufeff", "# x\r\n\r\n"])
def test_the_background_of_id_0_is_no_class(tmp_path: Path, background: str, start: str) -> None:
    found = read(tmp_path, f"{start}item {{ {background} }}\r\n" + LVIS % (3, "person"))
    assert found.labels == (Label(3, "/m/1", "person", ((1, "nose"),)),)


@given(junk=st.text("abc{}<>:;,1'# \n", min_size=1), place=st.integers(0, 2))
def test_what_tfods_parser_refuses_is_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: str, place: int
) -> None:
    items = [f"item {{ id: {i} name: 'n{i}' }}\n" for i in (1, 2)]
    text = "".join([*items[:place], junk, "\n", *items[place:]])
    try:
        names = [item.name for item in text_format.Parse(text, TFOD_MAP()).item]
    except text_format.ParseError as fault:
        with pytest.raises(InputError, match=f"line {fault.GetLine()}: not a label map"):
            read(tmp_path_factory.mktemp("m"), text)
    else:
        assert list(read(tmp_path_factory.mktemp("m"), text).names) == names


TFOD_PROTO = """
name: "object_detection/protos/string_int_label_map.proto" package: "object_detection.protos"
message_type { name: "StringIntLabelMapItem"
  field { name: "name" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "id" number: 2 label: LABEL_OPTIONAL type: TYPE_INT32 }
  field { name: "display_name" number: 3 label: LABEL_OPTIONAL type: TYPE_STRING }
  field { name: "keypoints" number: 4 label: LABEL_REPEATED type_name: "KeypointMap" }
  nested_type { name: "KeypointMap"
    field { name: "id" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 }
    field { name: "label" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING } } }
message_type { name: "StringIntLabelMap"
  field { name: "item" number: 1 label: LABEL_REPEATED type_name: "StringIntLabelMapItem" } }
"""


def tfods_label_map() -> Any:
    """TFOD's message, made from its proto."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(TFOD_PROTO, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("object_detection.protos.StringIntLabelMap")
    )


TFOD_MAP = tfods_label_map()


@given(names=st.lists(st.tuples(NAMES, st.text(), st.text()), unique_by=lambda each: each[0], max_size=4))
def test_tfods_own_reader_reads_what_we_write(names: list[tuple[str, str, str]]) -> None:
    labels = [Label(i, name, shown, ((7, point),)) for i, (name, shown, point) in enumerate(names, start=1)]
    message = text_format.Merge(format_label_map(LabelMap(tuple(labels))), TFOD_MAP())
    assert labels == [
        Label(item.id, item.name, item.display_name, tuple((each.id, each.label) for each in item.keypoints))
        for item in message.item
    ]


def test_every_contradiction_is_listed(tmp_path: Path) -> None:
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
        ("items {\n id: 1\n}", 'line 1: not a label map .* no field named "items"'),
        ("item { id: 1 name: 'a' }\nclasses: 3\n", "line 2: not a label map"),
        ("# two\nitem { id: 1 name: 'a' }\n\nitems { id: 2 name: 'b' }", "line 4: not a label map"),
        ("item { id: 1 name: 'a' }\ncat\nitem { id: 2 name: 'b' }", "not a label map"),
        ("item { id: 1 name: 'a' }\nitem id: 2 name: 'b' }", "line 2: not a label map"),
        ("item {\n id: 1\n nane: 'a'\n}", 'line 3: not a label map .* no field named "nane"'),
        ("item {\n id: 1\n id: 2\n name: 'a'\n}", "line 3: not a label map"),
        ("item {\n id: 0\n name: 'background'\n}", "no item"),
        ("item {\n id: one\n}", "line 2: not a label map"),
        ("item {\n id: 99999999999\n}", "line 2: not a label map"),
        ("item {\n id: 1\n name: 'men's shoe'\n}", "line 3: not a label map"),
    ],
)
def test_what_is_no_label_map(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"map.pbtxt: .*{reason}"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("points", "fault"),
    [((0, 0), "id 0 of 'p' stands more than once"), ((0, -1), "id -1 of 'p' is below 0"), ((1, 0), "")],
)
def test_ids_of_keypoints(tmp_path: Path, points: tuple[int, int], fault: str) -> None:
    text = "".join(f"keypoints {{ id: {number} label: 'k{at}' }}" for at, number in enumerate(points))
    if not fault:
        assert len(read(tmp_path, f"item {{ id: 1 name: 'p' {text} }}").labels[0].keypoints) == 2
        return
    with pytest.raises(LabelConflict, match=f"keypoint {fault}"):
        read(tmp_path, f"item {{ id: 1 name: 'p' {text} }}")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.pbtxt: cannot be read as a label map \(No such file"):
        read_label_map(tmp_path / "none.pbtxt")
    (tmp_path / "a.pbtxt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"byte 0 is not UTF-8"):
        read_label_map(tmp_path / "a.pbtxt")
