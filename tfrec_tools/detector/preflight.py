"""What can be said of a command's input before TensorFlow is loaded, which takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.detector.config.read import parse_pipeline, read_pipeline_text, require_losses
from tfrec_tools.detector.data import inputs, reading
from tfrec_tools.detector.data.oddities import Records, warnings
from tfrec_tools.detector.model.class_rows import class_rows
from tfrec_tools.detector.model.description import BASE_LABELS, MODEL_LABELS, describe
from tfrec_tools.detector.model.zoo import local_folder
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.training.run_notes import noted_steps, numbered_run
from tfrec_tools.errors import InputError
from tfrec_tools.labels.id_tables import find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.model_folders import CONFIG
from tfrec_tools.labels.zoo import coco_labels
from tfrec_tools.system.options import StrPath, as_path, as_texts


def require_records(patterns: Sequence[str]) -> None:
    """InputError where a pattern names no record file."""
    for pattern in patterns:
        shards.record_files([pattern])


def require_images(words: Sequence[str]) -> None:
    """InputError where a word names neither an image, nor a folder of them, nor records."""
    inputs.require_images(words)


def model_notes(model: StrPath, label_map: Path | None, flag: str = MODEL_LABELS) -> tuple[str, ...]:
    """Returns which of a model folder's files were chosen, where there was a choice; nothing of a model that
    is to be downloaded first. Raises InputError where it cannot be opened."""
    folder = local_folder(str(model))
    return () if folder is None else describe(folder, label_map, flag).notes


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A training that can begin: what is to be said first, and its examples, since to read them is most of
    the time that checking takes."""

    notes: tuple[str, ...]
    examples: reading.Read


def require_finetunable(options: FinetuneOptions, labels: LabelMap) -> Checked:
    """InputError or LabelConflict where the words, the records, the base's folder, the classes or the run's
    folder cannot be used."""
    _ = options.augmentations, options.budget_s
    patterns = options.records
    for words in patterns.values():
        require_records(words)
    inputs.require_images(as_texts(options.unlabelled))
    base = _require_base(options, labels)
    if options.out is not None and not (options.resume or options.dry_run):
        require_free_run(as_path(options.out))
    new = base.new or dict(labels.name_by_id)
    examples = reading.read(patterns, labels, new, options.seed, options.progress)
    aside = reading.set_aside_notes(patterns, examples, options.seed)
    records = Records({flag: read for flag, read in examples.items() if read})
    warned = (f"warning: {line}" for line in warnings(records, new))
    return Checked((*base.notes, *aside, *warned, *_resumed(options)), examples)


def _resumed(options: FinetuneOptions) -> Iterator[str]:
    """With which learning rates a run goes on that is to be longer than it was."""
    if not options.resume:
        return
    out = numbered_run(Path("runs"), resume=True) if options.out is None else as_path(options.out)
    steps = noted_steps(out)
    if steps is not None and options.steps > steps:
        yield (
            f"the run was of {steps} steps and goes on to {options.steps}: its learning rate is from now on "
            f"that of a run of {options.steps}, so higher than it was at the end, and falls to 0 again"
        )


def require_free_run(out: Path) -> None:
    """InputError where a run's folder holds something already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, "is there already; give another --out, or --resume to go on with it")


@dataclass(frozen=True, slots=True)
class _Base:
    """What was chosen in the folder of the base, and the classes that it does not know, {id: name}."""

    notes: tuple[str, ...]
    new: dict[int, str]


def _require_base(options: FinetuneOptions, labels: LabelMap) -> _Base:
    """The base can be opened, and its classes are in the grown map, but for those that are to be dropped."""
    if options.pipeline is not None:
        pipeline = as_path(options.pipeline)
        text = read_pipeline_text(pipeline)
        parse_pipeline(pipeline, text)
        require_losses(pipeline, text)
        return _Base((), dict(labels.name_by_id))
    folder = local_folder(str(options.base))
    if folder is None:
        return _Base((), _new(options, coco_labels(), labels))
    base = describe(folder, options.base_label_map, BASE_LABELS)
    require_losses(folder / CONFIG, base.text)
    return _Base(base.notes, _new(options, base.labels, labels))


def _new(options: FinetuneOptions, known: LabelMap, labels: LabelMap) -> dict[int, str]:
    """Returns {id: name} of the classes of the grown map that the base does not know."""
    tables = find_tables(options.table_path, options.labels_path, labels)
    renamed = new_names(tables, known.name_by_id)
    rows = class_rows(known, labels, drop_classes=options.drop_classes, renamed=renamed)
    return {row.id: row.name for row in rows if row.base_id is None}
