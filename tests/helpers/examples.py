"""What Examples are made of: a picture, rows of boxes, values of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tfrec_tools.annotations.records import ImageRecord, image_record
from tfrec_tools.images.loading import EncodedImage

PICTURE = EncodedImage(b"\xff\xd8 pixels", "jpeg", 640, 480)
IDS = {"RBC": 1, "WBC": 2, "Plättchen": 7}

BoxRow = tuple[tuple[float, float, float, float], str, bool, bool, bool]  # box; crowd, difficult, truncated
Values = tuple[str, Sequence[Any]]  # a feature's kind and values

BOX = st.tuples(*[st.floats(0, 480)] * 4)
ROW = st.tuples(BOX, st.sampled_from(sorted(IDS)), st.booleans(), st.booleans(), st.booleans())


def record_of(rows: Sequence[BoxRow] = (), **options: Any) -> ImageRecord:
    options = {"image_id": "17", "filename": "a/b.jpg", "source": "s"} | options
    return image_record(
        boxes_xyxy=[row[0] for row in rows],
        names=tuple(row[1] for row in rows),
        crowd=[row[2] for row in rows],
        difficult=[row[3] for row in rows],
        truncated=[row[4] for row in rows],
        **options,
    )


VALUES = (
    st.tuples(st.just("bytes"), st.lists(st.binary(max_size=300), max_size=5))
    | st.tuples(st.just("float"), st.lists(st.floats(width=32), max_size=40))
    | st.tuples(st.just("int64"), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
)
