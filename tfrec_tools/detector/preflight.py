"""What can be said of a command's input before TensorFlow is loaded, which takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.detector.config.read import parse_pipeline, read_pipeline_text, require_losses
from tfrec_tools.detector.model.class_rows import class_rows
from tfrec_tools.detector.model.description import BASE_LABELS, MODEL_LABELS, describe
from tfrec_tools.detector.model.zoo import local_folder
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.errors import InputError
from tfrec_tools.labels.id_tables import find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.model_folders import CONFIG
from tfrec_tools.system.options import StrPath, as_path, as_texts


def require_records(patterns: Sequence[str]) -> None:
    """InputError where a pattern names no record file."""
    for pattern in patterns:
        shards.record_files([pattern])


def model_notes(model: StrPath, label_map: Path | None, flag: str = MODEL_LABELS) -> tuple[str, ...]:
    """Returns which of a model folder's files were chosen, where there was a choice; nothing of a model that
    is to be downloaded first. Raises InputError where it cannot be opened."""
    folder = local_folder(str(model))
    return () if folder is None else describe(folder, label_map, flag).notes


def require_finetunable(options: FinetuneOptions, labels: LabelMap) -> tuple[str, ...]:
    """Returns what is to be said before training. InputError or LabelConflict where the words, the records,
    the base's folder, the classes or the run's folder cannot be used."""
    _ = options.augmentations, options.budget_s
    for patterns in (options.train, options.replay, options.val, options.test):
        require_records(as_texts(patterns))
    notes = _require_base(options, labels)
    if options.out is not None and not (options.resume or options.dry_run):
        require_free_run(as_path(options.out))
    return notes


def require_free_run(out: Path) -> None:
    """InputError where a run's folder holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, "is there already; give another --out, or --resume to go on with it")


def _require_base(options: FinetuneOptions, labels: LabelMap) -> tuple[str, ...]:
    """The base can be opened, and its classes are in the grown map, but for those that are to be dropped."""
    if options.pipeline is not None:
        pipeline = as_path(options.pipeline)
        text = read_pipeline_text(pipeline)
        parse_pipeline(pipeline, text)
        require_losses(pipeline, text)
        return ()
    folder = local_folder(str(options.base))
    if folder is None:
        return ()
    base = describe(folder, options.base_label_map, BASE_LABELS)
    require_losses(folder / CONFIG, base.text)
    tables = find_tables(options.table_path, options.labels_path, labels)
    renamed = new_names(tables, base.labels.name_by_id)
    class_rows(base.labels, labels, drop_classes=options.drop_classes, renamed=renamed)
    return base.notes
