"""What `tfrec finetune` is to do, settled: paths, records, classes, how to train, what keeps old classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tfrec_tools.detector.data import reading
from tfrec_tools.detector.data.index import IndexedExample, index_records
from tfrec_tools.detector.evaluation import operating_points
from tfrec_tools.detector.evaluation.findings import Findings
from tfrec_tools.detector.model import growth, imagenet
from tfrec_tools.detector.model.class_rows import ClassRow, class_rows
from tfrec_tools.detector.model.description import BASE_LABELS
from tfrec_tools.detector.model.detector import Detector, load_detector
from tfrec_tools.detector.model.zoo import model_folder
from tfrec_tools.detector.options.finetune import FinetuneOptions, RetentionOptions
from tfrec_tools.detector.options.groups import BACKBONE
from tfrec_tools.detector.retention import retention
from tfrec_tools.detector.training.distribution import ALONE, Cluster, open_cluster
from tfrec_tools.detector.training.run_notes import CONTROL, numbered_run
from tfrec_tools.detector.training.settings import TrainConfig, train_config
from tfrec_tools.detector.training.validation import NEVER, Watch, unsaid
from tfrec_tools.labels.id_tables import Tables, find_tables, new_names
from tfrec_tools.labels.label_map import LabelMap
from tfrec_tools.system.options import Progress, as_path, as_texts, narrowed, recorded, silent
from tfrec_tools.system.toml_options import Values

# Too few to teach a backbone anything but themselves.
_FEW_IMAGES = 50


@dataclass(frozen=True, slots=True)
class Finetuning:
    """What to do: paths, patterns of record files, classes of the grown model, how to train and what keeps
    the old classes known.

    test    what the table is measured on; none is `val`, by which everything is chosen
    masked  False: every image counts as annotated for all classes, and each box as much as any other, as
            trainers that know no better do
    freeze_few  freeze the backbone where there are few new images
    base_labels  the label map of the base, where it is not to be looked for
    tables  of the merge that the classes are of
    pipeline  of the detector to make, where `base` is weights of a classification
    watch   how training is looked at, and what ends it early
    tensorboard  whether the curves are written for it too
    cluster  where it is trained
    options  what the user set, to be kept with the run, as are `inputs`: what differs where they do
    found   by the base, for the control to use too
    examples  of the records, where they have been read already
    unlabelled  what names images without labels, and where their records lie, if not in `out`
    progress is called while a long step goes on, `say` with a line for the user
    """

    base: Path
    labels: LabelMap
    train: tuple[str, ...]
    replay: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    out: Path
    drop_classes: bool
    memory: RetentionOptions
    masked: bool
    freeze_few: bool
    config: TrainConfig
    base_labels: Path | None = None
    tables: Tables | None = None
    pipeline: Path | None = None
    watch: Watch = NEVER
    tensorboard: bool = False
    cluster: Cluster = ALONE
    options: Values = field(default_factory=dict)
    inputs: Values = field(default_factory=dict)
    found: Findings = field(default_factory=Findings)
    examples: reading.Read = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    unlabelled_in: Path | None = None
    progress: Progress = silent
    say: Callable[[str], None] = unsaid

    @property
    def drops(self) -> bool:
        """Whether the grown map may lack classes of the base."""
        return self.drop_classes or self.pipeline is not None

    def base_detector(self) -> Detector:
        self.progress("reading the base", 0, None)
        if self.pipeline is None:
            return load_detector(self.base, self.base_labels, BASE_LABELS)
        return imagenet.new_detector(self.pipeline, str(self.base), self.config.seed)

    def scores_of(self, base: LabelMap) -> dict[int, float]:
        """{id of the base: the score from which on the class is best taken}, where its folder says so."""
        return {} if self.pipeline else operating_points.read_scores(self.base / operating_points.FILE, base)

    def renamed(self, base: LabelMap) -> dict[str, str | None]:
        """{class of the base: its name in the grown map}, where the tables of the merge say so."""
        return new_names(self.tables, base.name_by_id)

    def rows(self, base: LabelMap) -> list[ClassRow]:
        """Returns the rows of the grown class head."""
        return class_rows(base, self.labels, drop_classes=self.drops, renamed=self.renamed(base))

    def grown(self, base: Detector) -> Detector:
        renamed = self.renamed(base.labels)
        return growth.grow(base, self.labels, self.config.seed, drop_classes=self.drops, renamed=renamed)

    def read(self, new: Collection[int], flags: Sequence[str] = reading.FLAGS) -> reading.Read:
        """Returns the examples of the records, by flag; `new` are the ids of the classes to be learnt."""
        words = dict(zip(reading.FLAGS, (self.train, self.replay, self.val, self.test), strict=True))
        asked = {flag: words[flag] for flag in flags}
        return self.examples or reading.read(asked, self.labels, new, self.config.seed, self.progress)

    @property
    def unlabelled_file(self) -> Path:
        return self.unlabelled_in or self.out / "unlabelled" / "images.tfrecord"

    @property
    def control(self) -> Finetuning:
        """The plain fine-tuning of the same images: what is gained shows beside it."""
        return replace(
            self,
            out=self.out / CONTROL,
            replay=(),
            examples={**self.examples, reading.REPLAY: []} if self.examples else {},
            unlabelled_in=self.unlabelled_file,
            memory=retention.NOTHING,
            masked=False,
            config=replace(self.config, average=0.0, replay_ratio=0.0),
            say=unsaid,
        )

    def frozen(self, images: int) -> TrainConfig:
        """Returns how to train, with the backbone frozen where there are too few new images."""
        freezes = self.config.freeze_backbone or (self.freeze_few and images < _FEW_IMAGES)
        return replace(self.config, freeze_backbone=freezes)

    def index(self, patterns: Sequence[str]) -> list[IndexedExample]:
        return index_records(patterns, self.labels, self.counted(f"reading {' '.join(patterns)}"))

    def counted(self, step: str, total: int | None = None) -> Callable[[int], None]:
        """Shows how many units of a step are done."""
        return lambda done: self.progress(step, done, total)


def planned(
    options: FinetuneOptions,
    labels: LabelMap,
    examples: reading.Read,
) -> Finetuning:
    """What the options ask for; `labels` is what --labels names, `examples` what was read of the records.
    TfrecError where that cannot be."""
    pipeline = None if options.pipeline is None else as_path(options.pipeline)
    return Finetuning(
        base=options.base_path if pipeline else model_folder(str(options.base)),
        labels=labels,
        train=as_texts(options.train),
        replay=as_texts(options.replay),
        val=as_texts(options.val),
        test=as_texts(options.test),
        out=options.folder or numbered_run(Path("runs"), resume=options.resume),
        drop_classes=options.drop_classes,
        memory=narrowed(RetentionOptions, options),
        masked=True,
        freeze_few=options.freeze == "auto" and BACKBONE not in options.rates[1],
        config=train_config(options),
        base_labels=options.base_label_map,
        tables=find_tables(options.table_path, options.labels_path, labels),
        pipeline=pipeline,
        watch=Watch(options.eval_every, options.patience, options.budget_s),
        tensorboard=options.tensorboard,
        cluster=ALONE if options.dry_run else open_cluster(options.strategy),
        options=recorded(options, whole=True),
        examples=examples,
        unlabelled=as_texts(options.unlabelled),
        progress=options.progress,
    )
