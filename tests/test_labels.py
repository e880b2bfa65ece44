"""Label maps as TFOD writes them: round trip, what people write, every contradiction at once."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools.errors import InputError, LabelConflict
from tfrec_tools.labels.label_map import Label, LabelMap, from_names
from tfrec_tools.labels.pbtxt import format_label_map, read_label_map

NAMES = st.text(min_size=1).filter(lambda name: name == name.strip() and name)


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


def test_commas_as_roboflow_writes_them(tmp_path):
    assert read(tmp_path, ROBOFLOW).labels == (Label(1, "RBC", "RBC"), Label(2, "WBC", "WBC"))


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


def tfods_label_map():
    """TFOD's message, made from its proto."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(TFOD_PROTO, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("object_detection.protos.StringIntLabelMap")
    )


TFOD_MAP = tfods_label_map()


@given(names=st.lists(st.tuples(NAMES, st.text(), st.text()), unique_by=lambda each: each[0], max_size=4))
def test_tfods_own_reader_reads_what_we_write(names):
    labels = [Label(i, name, shown, ((7, point),)) for i, (name, shown, point) in enumerate(names, start=1)]
    message = text_format.Merge(format_label_map(LabelMap(tuple(labels))), TFOD_MAP())
    assert labels == [
        Label(item.id, item.name, item.display_name, tuple((each.id, each.label) for each in item.keypoints))
        for item in message.item
    ]


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
        ("item {\n id: 1\n name: 'men's shoe'\n}", "line 3: not a label map"),
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
