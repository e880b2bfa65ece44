"""Batch norms that know the statistics of the images that a model was trained on.

Some families' statistics move by 0.0003 or 0.003 of a batch's a step, whatever their pipeline.config says
(CenterNet's MobileNetV2, Faster R-CNN's ResNet): from random weights they are still on their way when a short
training ends, and the model answers by others than it was trained with. Those of some batches are taken
instead (Wu and Johnson 2021 call it precise batch norm).

    python -m tests.bench.grow.calibrate MODEL RECORDS FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

# A norm forgets all but 0.01 of what it began with.
_STEPS, _BATCH, _MOMENTUM = 30, 8, 0.85


def main(model: Path, records: str, folder: Path) -> None:
    """Writes the model with the statistics of batches of the records. They pass as in training, so that those
    of a second stage are of the boxes that it is trained on; no weight is changed."""
    from tfrec_tools.detector.data.index import index_records
    from tfrec_tools.detector.model.detector import layers_of, load_detector, save_detector
    from tfrec_tools.detector.network.layers import BatchNorm
    from tfrec_tools.detector.training.settings import TrainConfig
    from tfrec_tools.detector.training.trainer import Trainer

    detector = load_detector(model)
    for layer in layers_of(detector.network):
        if isinstance(layer, BatchNorm):
            layer.momentum = _MOMENTUM
    config = TrainConfig(
        steps=_STEPS,
        batch_size=_BATCH,
        lr=0.0,
        backbone_lr_mult=1.0,
        freeze_backbone=False,
        train_batch_norm=True,
        replay_ratio=0.0,
        average=0.0,
        seed=1,
    )
    Trainer(detector, config).run(index_records([records], detector.labels), [], lambda _: None)
    save_detector(detector, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
