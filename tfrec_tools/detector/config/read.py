"""TFOD's pipeline.config: what of it describes the model.

Field names, defaults and meanings: object_detection/protos/*.proto. A model is built only from fields that
are understood; any other field of its `model` block is refused by name, because a silent default would be
another model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfrec_tools.detector.config import textproto
from tfrec_tools.detector.config.faster_rcnn import FASTER_RCNN_EXTRACTORS, FasterRcnnConfig, read_faster_rcnn
from tfrec_tools.detector.config.fields import Fields
from tfrec_tools.detector.config.ssd import SSD_EXTRACTORS, SsdConfig, read_ssd
from tfrec_tools.errors import InputError
from tfrec_tools.system.regular_files import read_text

Config = SsdConfig | FasterRcnnConfig

_MOST_BYTES = 4_000_000  # TFOD's have 10,000

# What a `model` block may hold, and who reads it.
_READERS: dict[str, Callable[[Fields], Config]] = {"ssd": read_ssd, "faster_rcnn": read_faster_rcnn}

# The feature extractors that each may have.
EXTRACTORS = {"ssd": SSD_EXTRACTORS, "faster_rcnn": FASTER_RCNN_EXTRACTORS}


def read_pipeline(path: Path) -> Config:
    """Returns the model of a pipeline.config. Raises InputError where the text is no text proto, or names a
    model or a field that is not supported."""
    return parse_pipeline(path, read_pipeline_text(path))


def read_pipeline_text(path: Path) -> str:
    """Returns the text of a pipeline.config, without a byte order mark. Raises InputError where there is
    none."""
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            reason = f"has {size} bytes, expected TFOD's pipeline.config of at most {_MOST_BYTES}"
            raise InputError(path, reason)
        return read_text(path, "utf-8-sig")
    except FileNotFoundError as fault:
        raise InputError(path, "not found, expected TFOD's pipeline.config") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as text ({fault})") from fault


def parse_pipeline(path: Path, text: str) -> Config:
    """Reads as `read_pipeline` does, but from a text; `path` is for messages."""
    try:
        root = textproto.parse(text)
    except textproto.TextError as fault:
        raise InputError(path, f"not a pipeline.config ({fault})", where=f"line {fault.line}") from fault
    models = root.messages("model")
    if len(models) != 1:
        raise InputError(
            path, f"found {len(models)} times, expected one `model {{ ... }}` block", where="model"
        )
    model = Fields(path, "model", models[0])
    kind = model.only(*_READERS)
    return _READERS[kind](model.block(kind))
