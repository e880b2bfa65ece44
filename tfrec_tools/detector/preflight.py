"""What can be said of a command's input before TensorFlow is loaded, which takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tfrec_tools.dataset import shards
from tfrec_tools.detector.config.read import parse_pipeline, read_pipeline_text, require_losses
from tfrec_tools.detector.data import digests, reading
from tfrec_tools.detector.data import inputs as words_of_images
from tfrec_tools.detector.data.oddities import Records, warnings
from tfrec_tools.detector.model.class_rows import class_rows
from tfrec_tools.detector.model.description import BASE_LABELS, MODEL_LABELS, describe
from tfrec_tools.detector.model.zoo import local_folder
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.training.length import Data
from tfrec_tools.detector.training.run_notes import (
    CONTROL,
    Standing,
    noted_steps,
    numbered_run,
    require_free_run,
    require_same_inputs,
    standing,
)
from tfrec_tools.labels.id_tables import find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.labels.model_folders import CONFIG
from tfrec_tools.labels.zoo import coco_labels
from tfrec_tools.system.options import StrPath, as_path, as_texts, recorded
from tfrec_tools.system.toml_options import Value, Values


def require_records(patterns: Sequence[str]) -> None:
    """InputError where a pattern names no record file."""
    for pattern in patterns:
        shards.record_files([pattern])


def require_images(words: Sequence[str]) -> None:
    """InputError where a word names neither an image, nor a folder of them, nor records."""
    words_of_images.require_images(words)


def model_notes(model: StrPath, label_map: Path | None, flag: str = MODEL_LABELS) -> tuple[str, ...]:
    """Returns which of a model folder's files were chosen, where there was a choice; nothing of a model that
    is to be downloaded first. Raises InputError where it cannot be opened."""
    folder = local_folder(str(model))
    return () if folder is None else describe(folder, label_map, flag).notes


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A training that can begin: what is to be said first, and its examples, since to read them is most of
    the time that checking takes. `inputs` differ where what it is made of does."""

    notes: tuple[str, ...]
    examples: reading.Read
    inputs: Values


def require_finetunable(options: FinetuneOptions, labels: LabelMap) -> Checked:
    """InputError or LabelConflict where the words, the records, the base's folder, the classes or the run's
    folder cannot be used."""
    _ = options.augmentations, options.budget_s, options.rates, options.frozen, options.frozen_layers
    patterns = options.records
    for words in patterns.values():
        require_records(words)
    words_of_images.require_images(as_texts(options.unlabelled))
    base = _require_base(options, labels)
    if options.out is not None and not (options.resume or options.dry_run):
        require_free_run(as_path(options.out))
    new = base.new or dict(labels.name_by_id)
    examples = reading.read(patterns, labels, new, options.seed, options.progress)
    aside = reading.set_aside_notes(patterns, examples, options.seed)
    records = Records({flag: read for flag, read in examples.items() if read})
    warned = (f"warning: {line}" for line in warnings(records, new))
    inputs = base.inputs | {"labels": digests.of_labels(labels)}
    inputs |= {flag[2:]: digests.of_records(read) for flag, read in examples.items() if read}
    if options.resume and not options.dry_run:
        require_same_inputs(_folder(options), inputs)
    data = Data(len(examples[reading.TRAIN]), len(base.new) or len(labels))
    return Checked((*base.notes, *aside, *warned, *_lengths(options, data)), examples, inputs)


def _lengths(options: FinetuneOptions, data: Data) -> Iterator[str]:
    """Of how many steps the training is by the rule; with which learning rates a run goes on that is to be
    longer than it was."""
    noted = noted_steps(_folder(options)) if options.resume else None
    if noted is None and options.steps == "auto" and options.batch != "auto":
        yield data.line(options.batch)
    if noted is not None and options.fixed_steps > noted:
        yield (
            f"the run was of {noted} steps and goes on to {options.steps}: its learning rate is from now on "
            f"that of a run of {options.steps}, so higher than it was at the end, and falls to 0 again"
        )


def _folder(options: FinetuneOptions) -> Path:
    """The run's; InputError where there is none that --resume could mean."""
    return options.folder or numbered_run(Path("runs"), resume=options.resume)


@dataclass(frozen=True, slots=True)
class Settled:
    """The options with what --resume auto means, yes or no, and the folder that it means; how the run and its
    control stand there, None where that is not asked."""

    options: FinetuneOptions
    run: Standing | None = None
    control: Standing | None = None

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing to do."""
        return self.run is Standing.FINISHED and self.control in (None, Standing.FINISHED)


def settled_run(options: FinetuneOptions) -> Settled:
    """InputError where the folder holds something else than a run, or one under other options."""
    if options.resume != "auto" or options.dry_run:
        return Settled(options)
    out, asked = _folder(options), recorded(options, whole=True)
    run = standing(out, asked)
    control = standing(out / CONTROL, asked) if options.control else None
    return Settled(replace(options, out=out, resume=run is not Standing.NEW), run, control)


@dataclass(frozen=True, slots=True)
class _Base:
    """What was chosen in the folder of the base, the classes that it does not know, {id: name}, and what
    differs where the folder does."""

    notes: tuple[str, ...]
    new: dict[int, str]
    inputs: dict[str, Value] = field(default_factory=dict)


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
    inputs: dict[str, Value] = {"base": digests.of_model(folder)}
    return _Base(base.notes, _new(options, base.labels, labels), inputs)


def _new(options: FinetuneOptions, known: LabelMap, labels: LabelMap) -> dict[int, str]:
    """Returns {id: name} of the classes of the grown map that the base does not know."""
    tables = find_tables(options.table_path, options.labels_path, labels)
    renamed = new_names(tables, known.name_by_id)
    rows = class_rows(known, labels, drop_classes=options.drop_classes, renamed=renamed)
    return {row.id: row.name for row in rows if row.base_id is None}
