"""Boxes of an Example, counted without looking at anything else; so without numpy, which takes a while."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from tfrec_tools._pb2 import example_pb2
from tfrec_tools.tfrecords.features import BOX_LABEL, BOX_TEXT, BOX_XMAX, BOX_XMIN, BOX_YMAX, BOX_YMIN


def boxes_in(data: bytes) -> int:
    """Returns how many boxes bytes have, whatever else is wrong with them; 0 where they are no Example."""
    try:
        features = example_pb2.Example.FromString(data).features.feature
    except DecodeError:
        return 0
    keys = [key for key in (BOX_XMIN, BOX_YMIN, BOX_XMAX, BOX_YMAX, BOX_LABEL, BOX_TEXT) if key in features]
    return max(
        (len(getattr(features[key], kind).value) for key in keys if (kind := _kind(features[key]))), default=0
    )


def _kind(feature: example_pb2.Feature) -> str | None:
    kind: str | None = feature.WhichOneof("kind")
    return kind
