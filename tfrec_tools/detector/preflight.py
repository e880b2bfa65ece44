"""What can be said of a command's input before TensorFlow is loaded, which takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.detector.checkpoints import unsupported
from tfrec_tools.detector.config.read import read_pipeline
from tfrec_tools.detector.model.class_rows import class_rows
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.errors import InputError
from tfrec_tools.labels.id_tables import find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.pbtxt import read_label_map
from tfrec_tools.system.options import as_path, as_texts


def require_records(patterns: Sequence[str]) -> None:
    """InputError where a pattern names no record file."""
    for pattern in patterns:
        shards.record_files([pattern])


def require_finetunable(options: FinetuneOptions, labels: LabelMap) -> None:
    """InputError or LabelConflict where the words, the records, the base's folder, the classes or the run's
    folder cannot be used."""
    _ = options.augmentations, options.budget_s
    for patterns in (options.train, options.replay, options.val, options.test):
        require_records(as_texts(patterns))
    if options.pipeline is not None:
        read_pipeline(as_path(options.pipeline))
    elif options.base_path.is_dir():
        _require_classes(options, labels)
    if options.out is not None and not (options.resume or options.dry_run):
        require_free_run(as_path(options.out))


def require_free_run(out: Path) -> None:
    """InputError where a run's folder holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, "is there already; give another --out, or --resume to go on with it")


def _require_classes(options: FinetuneOptions, labels: LabelMap) -> None:
    """The base's classes are in the grown map, but for those that are to be dropped."""
    folder = options.base_path
    unsupported.refuse_tf1(folder)
    read_pipeline(folder / "pipeline.config")
    file = folder / "label_map.pbtxt"
    if not file.is_file():
        return  # the loader says what is missing
    base = read_label_map(file)
    tables = find_tables(options.table_path, options.labels_path, labels)
    class_rows(base, labels, drop_classes=options.drop_classes, renamed=new_names(tables, base.name_by_id))
