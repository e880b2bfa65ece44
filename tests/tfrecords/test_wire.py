"""The wire format against protobuf's own."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import VALUES, Values
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.tfrecords import spans, wire
from tfrec_tools.tfrecords.features import FEATURES


def by_protobuf(features: Mapping[str, Values]) -> bytes:
    example = example_pb2.Example()
    for key, (kind, values) in features.items():
        values_list = getattr(example.features.feature[key], f"{kind}_list")
        values_list.SetInParent()
        values_list.value.extend(values)
    return example.SerializeToString(deterministic=True)


@given(st.dictionaries(st.sampled_from([*FEATURES, "é" * 99]), VALUES, min_size=1))
def test_the_bytes_are_protobufs(features: dict[str, Values]) -> None:
    assert wire.serialize(features) == by_protobuf(features)


LONG = st.tuples(
    st.just("bytes"), st.lists(st.binary(min_size=4090, max_size=20_000), min_size=1, max_size=2)
)


@given(st.dictionaries(st.sampled_from([*FEATURES, "é" * 99]), VALUES | LONG, min_size=1, max_size=6))
def test_the_bytes_of_long_values_are_protobufs(features: dict[str, Values]) -> None:
    assert wire.serialize(features) == by_protobuf(features)


def test_a_large_value_and_one_beyond_float32() -> None:
    features: dict[str, Values] = {
        "image/encoded": ("bytes", [bytes(3_000_000)]),
        "area": ("float", [1e300, float("nan")]),
    }
    assert wire.serialize(features) == by_protobuf(features)


@given(VALUES)
def test_short_features_are_read_as_protobuf_reads_them(feature: Values) -> None:
    kind, values = feature
    data = wire.serialize({"k": feature})
    found = wire.short_feature(example_pb2.Example.FromString(data).features.feature["k"].SerializeToString())
    assert found in (None, (kind, values))


@given(
    st.lists(st.binary(max_size=10), max_size=10) | st.lists(st.integers(0, 127), min_size=1, max_size=125)
)
def test_which_short_features_are_read(values: list[bytes] | list[int]) -> None:
    kind = "int64" if values and isinstance(values[0], int) else "bytes"
    (span,) = spans.find(data := wire.serialize({"k": (kind, values)}), 0, len(data)).values()
    assert wire.short_feature(data[span[1] :]) == (kind, values)


@given(st.binary(max_size=12) | st.binary(max_size=8).map(lambda rest: b"\n%c" % len(rest) + rest))
def test_what_is_no_short_feature_is_left_to_protobuf(data: bytes) -> None:
    found = wire.short_feature(data)
    if found is not None:
        kind, values = found
        assert list(getattr(example_pb2.Feature.FromString(data), f"{kind}_list").value) == values
