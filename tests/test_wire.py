"""The wire format against protobuf's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools._pb2 import example_pb2
from tfrec_tools.tfrecords import spans, wire
from tfrec_tools.tfrecords.features import FEATURES

VALUES = (
    st.tuples(st.just("bytes"), st.lists(st.binary(max_size=300), max_size=5))
    | st.tuples(st.just("float"), st.lists(st.floats(width=32), max_size=40))
    | st.tuples(st.just("int64"), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
)


def by_protobuf(features):
    example = example_pb2.Example()
    for key, (kind, values) in features.items():
        values_list = getattr(example.features.feature[key], f"{kind}_list")
        values_list.SetInParent()
        values_list.value.extend(values)
    return example.SerializeToString(deterministic=True)


@given(st.dictionaries(st.sampled_from([*FEATURES, "é" * 99]), VALUES, min_size=1))
def test_the_bytes_are_protobufs(features):
    assert wire.serialize(features) == by_protobuf(features)


def test_a_large_value_and_one_beyond_float32():
    features = {"image/encoded": ("bytes", [bytes(200_000)]), "area": ("float", [1e300, float("nan")])}
    assert wire.serialize(features) == by_protobuf(features)


@given(VALUES)
def test_short_features_are_read_as_protobuf_reads_them(feature):
    kind, values = feature
    data = wire.serialize({"k": feature})
    found = wire.short_feature(example_pb2.Example.FromString(data).features.feature["k"].SerializeToString())
    assert found in (None, (kind, values))


@given(
    st.lists(st.binary(max_size=10), max_size=10) | st.lists(st.integers(0, 127), min_size=1, max_size=125)
)
def test_which_short_features_are_read(values):
    kind = "int64" if values and isinstance(values[0], int) else "bytes"
    (span,) = spans.find(data := wire.serialize({"k": (kind, values)}), 0, len(data)).values()
    assert wire.short_feature(data[span[1] :]) == (kind, values)


@given(st.binary(max_size=12) | st.binary(max_size=8).map(lambda rest: b"\n%c" % len(rest) + rest))
def test_what_is_no_short_feature_is_left_to_protobuf(data):
    found = wire.short_feature(data)
    if found is not None:
        kind, values = found
        assert list(getattr(example_pb2.Feature.FromString(data), f"{kind}_list").value) == values
