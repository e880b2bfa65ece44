"""How to train, and what cannot be trained so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfrec_tools.detector.config import augmentation
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import require_losses
from tfrec_tools.detector.data.images import Cache
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.options.groups import BACKBONE
from tfrec_tools.detector.training import precision
from tfrec_tools.detector.training.distribution import Cluster
from tfrec_tools.errors import TfrecError

_BACKBONE_LR_MULT = 0.3


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; the learning rate of the backbone is lr * backbone_lr_mult, `average` how slowly the
    average of the weights follows them, 0 for none, and `cache` where decoded images are kept.

    steps       0, of no trainer, is to be settled by `length.settled`
    batch_size  of all replicas together; 0, of no trainer, is to be settled by `batch_size.fitted`
    augment     how images are varied, kinds of pipeline.augmentation; None: as augmentation.by_default
    lr          of the rest; None: as `rates.learning_rate`
    group_lrs   {group of layers: a learning rate of its own}
    frozen      groups that are not trained, besides the backbone by freeze_backbone
    freeze_layers  an expression; what it is found in the name of is not trained either
    precision   the dtype that layers compute with, "float32", "bfloat16" or "float16"
    jit         whether losses and gradients are compiled by XLA
    accumulate  how many parts a batch is taken in, one after the other
    """

    steps: int
    batch_size: int
    lr: float | None
    backbone_lr_mult: float
    freeze_backbone: bool
    train_batch_norm: bool
    replay_ratio: float
    average: float
    seed: int
    augment: tuple[str, ...] | None = None
    cache: Cache = "off"
    precision: str = "float32"
    jit: bool = False
    accumulate: int = 1
    group_lrs: Mapping[str, float] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    freeze_layers: str | None = None


def train_config(options: FinetuneOptions) -> TrainConfig:
    """How the options ask for a training."""
    lr, group_lrs = options.rates
    mult = options.backbone_lr_mult
    return TrainConfig(
        steps=options.fixed_steps,
        batch_size=options.batch_size,
        lr=lr,
        backbone_lr_mult=_BACKBONE_LR_MULT if mult is None else mult,
        freeze_backbone=BACKBONE in options.frozen,
        train_batch_norm=options.train_batch_norm,
        replay_ratio=options.replay_ratio,
        average=options.average,
        seed=options.seed,
        augment=options.augmentations,
        cache=options.cache,
        precision=precision.chosen(options.precision),
        jit=options.jit,
        accumulate=options.accumulate,
        group_lrs=group_lrs,
        frozen=options.frozen,
        freeze_layers=options.frozen_layers,
    )


def augmentations(detector: Detector, config: TrainConfig) -> tuple[str, ...]:
    """Returns how images are augmented. Raises InputError where only the pipeline.config says so, and asks
    for what is not done."""
    if config.augment is not None:
        return config.augment
    return augmentation.by_default(detector.pipeline_text, detector.labels.names)


def require_trainable(
    detector: Detector, config: TrainConfig, teacher: Teacher | None, cluster: Cluster
) -> None:
    """Raises TfrecError where a detector of this kind cannot be trained so."""
    augmentations(detector, config)
    require_losses(Path("pipeline.config"), detector.pipeline_text)
    if cluster.workers > 1 and not config.batch_size:
        raise TfrecError("--batch auto: each worker would choose for itself; give a number")
    parts = cluster.replicas * config.accumulate
    cut = f"{cluster.replicas} replicas x {config.accumulate} parts"
    if config.batch_size % parts:
        raise TfrecError(f"--batch: found {config.batch_size}, expected a multiple of {parts} ({cut})")
    if config.train_batch_norm and parts > 1:
        raise TfrecError(
            f"--train-batch-norm: a batch cut into {parts} ({cut}) has no statistics of its own; leave it "
            "out, or use --strategy one and --accumulate 1"
        )
    if config.jit and isinstance(detector.config, FasterRcnnConfig):
        raise TfrecError("--jit: XLA cannot compile the proposals of Faster R-CNN; leave it out")
    if config.jit and teacher:
        raise TfrecError("--jit: XLA cannot compile distillation; leave it out, or add --distill off")
