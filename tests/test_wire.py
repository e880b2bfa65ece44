"""The wire format against protobuf's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tfrec_tools import wire
from tfrec_tools._pb2 import example_pb2
from tfrec_tools.example import FEATURES

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
