"""TFOD's pipeline.config: what of it describes the model.

Field names, defaults and meanings: object_detection/protos/*.proto. A model is built only from fields that
are understood; any other field of its `model` block is refused by name, because a silent default would be
another model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tfrec_tools.detector.config import textproto
from tfrec_tools.detector.config.center_net import CENTER_NET_EXTRACTORS, CenterNetConfig, read_center_net
from tfrec_tools.detector.config.faster_rcnn import (
    FASTER_RCNN_EXTRACTORS,
    FasterRcnnConfig,
    read_faster_rcnn,
    require_softmax_loss,
)
from tfrec_tools.detector.config.fields import SUPPORTED, Fields
from tfrec_tools.detector.config.ssd import SSD_EXTRACTORS, SsdConfig, read_loss, read_ssd
from tfrec_tools.errors import InputError
from tfrec_tools.labels.model_folders import MOST_CONFIG_BYTES
from tfrec_tools.system.regular_files import read_text

Config = SsdConfig | FasterRcnnConfig | CenterNetConfig

# What a `model` block may hold, and who reads it.
_READERS: dict[str, Callable[[Fields], Config]] = {
    "ssd": read_ssd,
    "faster_rcnn": read_faster_rcnn,
    "center_net": read_center_net,
}

# The feature extractors that each may have.
EXTRACTORS = {
    "ssd": SSD_EXTRACTORS,
    "faster_rcnn": FASTER_RCNN_EXTRACTORS,
    "center_net": CENTER_NET_EXTRACTORS,
}

_NAMED_KERAS = ("ssd", "faster_rcnn")  # whose extractors of TF 2 all end so

# Who reads the losses, which only training needs.
_LOSSES: dict[str, Callable[[Fields], object]] = {"ssd": read_loss, "faster_rcnn": require_softmax_loss}


def read_pipeline(path: Path) -> Config:
    """Returns the model of a pipeline.config. Raises InputError where the text is no text proto, or names a
    model or a field that is not supported."""
    return parse_pipeline(path, read_pipeline_text(path))


def read_pipeline_text(path: Path) -> str:
    """Returns the text of a pipeline.config, without a byte order mark. Raises InputError where there is
    none."""
    try:
        if (size := path.stat().st_size) > MOST_CONFIG_BYTES:
            reason = f"has {size} bytes, expected TFOD's pipeline.config of at most {MOST_CONFIG_BYTES}"
            raise InputError(path, reason)
        return read_text(path, "utf-8-sig")
    except FileNotFoundError as fault:
        raise InputError(path, "not found, expected TFOD's pipeline.config") from fault
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as text ({fault})") from fault


def parse_pipeline(path: Path, text: str) -> Config:
    """Reads as `read_pipeline` does, but from a text; `path` is for messages. Losses that are not supported
    do not matter here: see `require_losses`."""
    kind, block = _model(path, text)
    _require_extractor(kind, block)
    return _READERS[kind](block)


def require_losses(path: Path, text: str) -> None:
    """Raises InputError where a pipeline.config that can be read asks for losses that are not supported."""
    kind, block = _model(path, text)
    if kind in _LOSSES:
        _LOSSES[kind](block)


def _model(path: Path, text: str) -> tuple[str, Fields]:
    """The kind of model, and its block."""
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
    return kind, model.block(kind)


def _require_extractor(kind: str, block: Fields) -> None:
    """What the model is comes before all its details, of which one or the other is always odd in a model that
    is not built here."""
    if kind == "faster_rcnn" and block.number("number_of_stages", 2) == 3:
        reason = f"found 3: a Mask R-CNN, whose masks are not built here; {SUPPORTED}"
        raise block.fault("number_of_stages", reason)
    if not block.has("feature_extractor"):
        return
    extractor = block.block("feature_extractor")
    name = extractor.word("type", "")
    if name in EXTRACTORS[kind]:
        return
    is_old = kind in _NAMED_KERAS and name and not name.endswith("_keras")
    of_tf1 = ", a feature extractor of TF 1, whose models cannot be opened; take the TF 2 version"
    raise extractor.fault("type", f"found {name!r}{of_tf1 if is_old else ''}; {SUPPORTED}")
