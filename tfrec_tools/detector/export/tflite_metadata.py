"""What TFLite's task library wants to know of a model: labels, and how its input is normalised.

The flatbuffer's tables are those of tflite-support's metadata_schema.fbs, by the numbers of their fields; the
file of labels is appended to the model as a zip archive, uncompressed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tfrec_tools.detector.export.labels_file import label_lines
from tfrec_tools.detector.export.pixels import Pixels
from tfrec_tools.labels.label_map import LabelMap

LABELS_FILE = "labelmap.txt"
_ENTRY = b"TFLITE_METADATA"
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.2.0"
_BYTE = "Int8"
# Values of the schema's enums and unions.
_RGB, _BOUNDARIES, _RATIO, _VALUE_LABELS = 1, 1, 0, 3
_FEATURE, _IMAGE, _BOX = 1, 2, 3
_NORMALIZATION = 1


def with_metadata(model: Any, labels: LabelMap, pixels: Pixels | None) -> bytes:
    """Returns a TFLite file of a model (flatbuffer_utils' object) whose outputs are boxes, classes, scores,
    count; `pixels` says how the input is normalised, None where it takes bytes."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_metadata(pixels), np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = _ENTRY, len(model.buffers)
    model.buffers = [*model.buffers, buffer]
    model.metadata = [*(model.metadata or []), entry]
    packed = io.BytesIO()
    packed.write(flatbuffer_utils.convert_object_to_bytearray(model))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(LABELS_FILE), label_lines(labels))
    return packed.getvalue()


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A field that stands in its table; `kind` is the builder's name of its type."""

    kind: str
    value: int


class _Builder:
    """Tables from the leaves up."""

    def __init__(self) -> None:
        self.flat = flatbuffers.Builder(1024)

    def table(self, fields: dict[int, int | str | _Scalar]) -> int:
        """Returns {number of the field: text, or the place of a table or vector, or a scalar} to a place."""
        placed = {
            slot: self.flat.CreateString(field) if isinstance(field, str) else field
            for slot, field in fields.items()
        }
        self.flat.StartObject(max(fields, default=-1) + 1)
        for slot, field in placed.items():
            if isinstance(field, _Scalar):
                getattr(self.flat, f"Prepend{field.kind}Slot")(slot, field.value, 0)
            else:
                self.flat.PrependUOffsetTRelativeSlot(slot, field, 0)
        return int(self.flat.EndObject())

    def tables(self, places: Sequence[int]) -> int:
        self.flat.StartVector(4, len(places), 4)
        for place in reversed(places):
            self.flat.PrependUOffsetTRelative(place)
        return int(self.flat.EndVector())

    def texts(self, texts: Sequence[str]) -> int:
        return self.tables([self.flat.CreateString(text) for text in texts])

    def numbers(self, values: NDArray[np.float32]) -> int:
        return int(self.flat.CreateNumpyVector(values))


def _metadata(pixels: Pixels | None) -> bytes:
    """Returns the table ModelMetadata."""
    build = _Builder()
    outputs = [
        _tensor(build, "location", _box_content(build), "[top left bottom right], fractions of the input"),
        _tensor(build, "category", _content(build, _FEATURE, {}), "classes from 0", labels=True),
        _tensor(build, "score", _content(build, _FEATURE, {}), "0 to 1, best first"),
        _tensor(build, "number of detections", _content(build, _FEATURE, {}), "how many there are"),
    ]
    group = build.table({0: "detection_result", 1: build.texts(["location", "category", "score"])})
    subgraph = build.table(
        {
            2: build.tables([_image(build, pixels)]),
            3: build.tables(outputs),
            8: build.tables([group]),
        }
    )
    model = build.table({0: "ObjectDetector", 3: build.tables([subgraph]), 7: _PARSER_VERSION})
    build.flat.Finish(model, _IDENTIFIER)
    return bytes(build.flat.Output())


def _image(build: _Builder, pixels: Pixels | None) -> int:
    content = _content(build, _IMAGE, {0: _Scalar(_BYTE, _RGB)})
    taken = pixels or Pixels(np.zeros(1, np.float32), np.ones(1, np.float32))
    lowest, highest = -taken.mean / taken.std, (255.0 - taken.mean) / taken.std
    options = build.table({0: build.numbers(taken.mean), 1: build.numbers(taken.std)})
    unit = build.table({0: _Scalar("Uint8", _NORMALIZATION), 1: options})
    stats = build.table({0: build.numbers(highest), 1: build.numbers(lowest)})
    fields: dict[int, int | str | _Scalar] = {
        0: "image",
        1: "the image, RGB",
        3: content,
        4: build.tables([unit]),
        5: stats,
    }
    return build.table(fields)


def _tensor(build: _Builder, name: str, content: int, description: str, *, labels: bool = False) -> int:
    fields: dict[int, int | str | _Scalar] = {0: name, 1: description, 3: content}
    if labels:
        file = build.table({0: LABELS_FILE, 1: "a class a line", 2: _Scalar(_BYTE, _VALUE_LABELS)})
        fields[6] = build.tables([file])
    return build.table(fields)


def _content(build: _Builder, kind: int, fields: dict[int, int | str | _Scalar]) -> int:
    return build.table({0: _Scalar("Uint8", kind), 1: build.table(fields)})


def _box_content(build: _Builder) -> int:
    build.flat.StartVector(4, 4, 4)
    for edge in (2, 3, 0, 1):  # from the last: left, top, right, bottom are the operator's 1, 0, 3, 2
        build.flat.PrependUint32(edge)
    order = int(build.flat.EndVector())
    fields: dict[int, int | str | _Scalar] = {
        0: order,
        1: _Scalar(_BYTE, _BOUNDARIES),
        2: _Scalar(_BYTE, _RATIO),
    }
    return _content(build, _BOX, fields)
