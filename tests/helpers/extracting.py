"""Records to be extracted, and what becomes of them when the extraction is converted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image

from tests.helpers.sets import parsed
from tfrec_tools.annotations.records import ImageRecord
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.extraction.extract import Extracted, extract
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.images.loading import EncodedImage
from tfrec_tools.labels.keypoints import layout_of, with_keypoints
from tfrec_tools.labels.label_map import Label, LabelMap
from tfrec_tools.labels.pbtxt import format_label_map
from tfrec_tools.tfrecords.example import Parsed, encode_example
from tfrec_tools.tfrecords.framing import write

# A gap, and an order that is not the alphabet's.
IDS = {
    "zebra": 1,
    "cat": 3,
    "Plättchen": 4,
    "a b": 7,
    "no": 8,
    'x,"y"': 12,
    "a\r\n\x85b": 13,
    "<#&": 14,
    "nan": 15,
}


def encoded(width: int, height: int, mark: int, kind: str = "jpeg") -> EncodedImage:
    """An image like no other: behind its end it has a mark."""
    out = BytesIO()
    Image.new("RGB", (width, height), (mark % 256, 90, 30)).save(out, kind.upper())
    return EncodedImage(out.getvalue() + b"%d" % mark, kind, width, height)


def records_file(
    folder: Path,
    pairs: Sequence[tuple[ImageRecord, EncodedImage]],
    ids: Mapping[str, int] = IDS,
    keypoints: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Path:
    """A file of records with their label map beside it, which says the names of the classes' keypoints."""
    folder.mkdir(exist_ok=True)
    labels = with_keypoints(
        LabelMap(tuple(Label(label_id, name) for name, label_id in ids.items())), keypoints
    )
    layout = layout_of(labels)
    examples = [encode_example(record, image, ids, keypoints=layout) for record, image in pairs]
    write(folder / "set.tfrecord", examples)
    (folder / "set.pbtxt").write_text(format_label_map(labels), encoding="utf-8")
    return folder / "set.tfrecord"


def extracted(records: Path, to: Any, out: Path, **options: Any) -> Extracted:
    return extract(ExtractOptions(records, to=to, out=out, **{"workers": 1, "no_fsync": True} | options))


def converted(done: Extracted, out: Path) -> list[Parsed]:
    """The records of an extraction that is converted as it says itself."""
    sources, options = list[str](), dict[str, Any]()
    words = iter(done.convert)
    for word in words:
        if word.startswith("--"):
            options[word.removeprefix("--").replace("-", "_")] = next(words)
        else:
            sources.append(word)
    convert(ConvertOptions(sources, out, workers=1, no_fsync=True, **options))
    return parsed(out.parent, out.name)
