"""How to train, and what cannot be trained so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfrec_tools.detector.config import augmentation
from tfrec_tools.detector.config.center_net import CenterNetConfig
from tfrec_tools.detector.config.faster_rcnn import FasterRcnnConfig
from tfrec_tools.detector.config.read import require_losses
from tfrec_tools.detector.data.images import Cache
from tfrec_tools.detector.losses.distillation import Teacher
from tfrec_tools.detector.model.detector import Detector
from tfrec_tools.detector.options.finetune import FinetuneOptions
from tfrec_tools.detector.training import precision
from tfrec_tools.detector.training.distribution import Cluster
from tfrec_tools.errors import TfrecError

_LR, _CENTER_NET_LR = 0.02, 0.002


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train; the learning rate of the backbone is lr * backbone_lr_mult, `average` how slowly the
    average of the weights follows them, 0 for none, and `cache` where decoded images are kept.

    batch_size  of all replicas together; 0, of no trainer, is to be settled by `batch_size.fitted`
    augment     how images are varied, kinds of pipeline.augmentation; None: as augmentation.by_default
    lr          of the rest; None: as `learning_rate`
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


def train_config(options: FinetuneOptions) -> TrainConfig:
    """How the options ask for a training."""
    return TrainConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        lr=options.lr,
        backbone_lr_mult=options.backbone_lr_mult,
        freeze_backbone=options.freeze == "backbone",
        train_batch_norm=options.train_batch_norm,
        replay_ratio=options.replay_ratio,
        average=options.average,
        seed=options.seed,
        augment=options.augmentations,
        cache=options.cache,
        precision=precision.chosen(options.precision),
        jit=options.jit,
        accumulate=options.accumulate,
    )


def learning_rate(detector: Detector, config: TrainConfig) -> float:
    """Returns the rate at its peak. CenterNet's losses are sums over few cells of a fine map, and distances
    in cells: at the rate of the others it forgets what it knew (TFOD trains it with Adam at 0.001)."""
    if config.lr is not None:
        return config.lr
    return _CENTER_NET_LR if isinstance(detector.config, CenterNetConfig) else _LR


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
