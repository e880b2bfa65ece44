"""TFOD's pipeline.config rewritten for other classes, records and weights.

Works for any family and version: nothing is built from the file, and every field, line and comment that is
not named here stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.detector.config import textproto
from tfrec_tools.errors import InputError
from tfrec_tools.labels.model_folders import CONFIG, folder_of
from tfrec_tools.system.atomic import published
from tfrec_tools.system.regular_files import read_text

_FAMILIES = ("ssd", "faster_rcnn", "center_net", "context_rcnn")


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change; None leaves a thing as it is. Paths are written as given.

    num_classes      of the model
    label_map_path   of both input readers
    train, val       record files or shell patterns, of the train and the eval input reader
    checkpoint       to start from: .../ckpt-0; checkpoint_type "full" restores all of it, heads included
    """

    num_classes: int
    label_map_path: str
    train: str | None = None
    val: str | None = None
    checkpoint: str | None = None
    checkpoint_type: str = "full"
    batch_size: int | None = None


def rewrite_file(source: Path, out: Path, changes: Changes) -> None:
    """Writes a pipeline.config, or that of a model or a run, to another file, changed. InputError where it is
    none or lacks a message that would be changed."""
    path = folder_of(source) / CONFIG if source.is_dir() else source
    try:
        text = read_text(path, "utf-8-sig")
        missing = lacking(text, changes)
        rewritten = rewrite_pipeline(text, changes)
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(path, f"cannot be read as a pipeline.config ({fault})") from fault
    except textproto.TextError as fault:
        raise InputError(path, f"not a pipeline.config ({fault})", where=f"line {fault.line}") from fault
    if missing:
        raise InputError(path, f"has no {', '.join(missing)}; expected a whole pipeline.config")
    out.parent.mkdir(parents=True, exist_ok=True)
    with published(out) as (part,):
        part.write_text(rewritten, encoding="utf-8")


def rewrite_pipeline(text: str, changes: Changes) -> str:
    """Returns the text of a pipeline.config, changed; raises textproto.TextError where it is no text proto. A
    message that the text lacks, such as an input reader, is not made."""
    for path, written in _edits(changes):
        text = textproto.replace(text, path, written)
    return text


def lacking(text: str, changes: Changes) -> list[str]:
    """Returns the messages that `rewrite_pipeline` would have changed, were they there. Who gives no records
    to evaluate with needs no reader of them."""
    families = {("model", family) for family in _FAMILIES}
    parents = {path[:-1] for path, _ in _edits(changes)} - families
    if changes.val is None:
        parents -= {("eval_input_reader",)}
    missing = [".".join(path) for path in parents if not _find(text, path)]
    if not any(_find(text, path) for path in families):
        missing.append("model with ssd, faster_rcnn, center_net or context_rcnn")
    return sorted(missing)


def _edits(changes: Changes) -> list[tuple[tuple[str, ...], str]]:
    """Returns each field's path and its new value as written."""
    edits: list[tuple[tuple[str, ...], str]] = [
        (("model", family, "num_classes"), str(changes.num_classes)) for family in _FAMILIES
    ]
    for reader, records in (("train_input_reader", changes.train), ("eval_input_reader", changes.val)):
        edits.append(((reader, "label_map_path"), textproto.quote(changes.label_map_path)))
        if records is not None:
            edits.append(((reader, "tf_record_input_reader", "input_path"), textproto.quote(records)))
    if changes.checkpoint is not None:
        edits += [
            (("train_config", "fine_tune_checkpoint"), textproto.quote(changes.checkpoint)),
            (("train_config", "fine_tune_checkpoint_type"), textproto.quote(changes.checkpoint_type)),
            (("train_config", "fine_tune_checkpoint_version"), "V2"),
        ]
    if changes.batch_size is not None:
        edits.append((("train_config", "batch_size"), str(changes.batch_size)))
    return edits


def _find(text: str, path: tuple[str, ...]) -> list[textproto.Message]:
    messages = [textproto.parse(text)]
    for name in path:
        messages = [child for message in messages for child in message.messages(name)]
    return messages
