"""Weights between those before and after training: what was learnt is kept in part, and what was known comes
back in part (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.detector.architectures import registry
from tfrec_tools.detector.checkpoints import object_graph
from tfrec_tools.detector.model import detector as detectors
from tfrec_tools.detector.model.detector import Detector, Values, assign
from tfrec_tools.detector.network.heads import ClassHead
from tfrec_tools.detector.training.trainer import Trainer

# How much of the trained weights; 1 is training alone.
ALPHAS = (1.0, 0.8, 0.6, 0.5, 0.4)


def blended(
    detector: Detector,
    start: Values,
    trained: Values,
    alpha: float,
    new_ids: frozenset[int],
) -> Values:
    """Returns {path: start + alpha (trained - start)}; the columns of new classes are the trained ones, since
    before training they knew nothing."""
    values: Values = {path: _between(start[path], value, alpha) for path, value in trained.items()}
    for head in registry.of(detector.config).class_heads(detector.config):
        columns = [label_id if head.background else label_id - 1 for label_id in sorted(new_ids)]
        for name in (head.kernel, "bias"):
            path = f"{object_graph.MODEL}/{head.path}/{name}"
            values[path] = _with_columns(values[path], trained[path], head, columns)
    return values


def choose(
    trainer: Trainer,
    start: Values,
    new_ids: frozenset[int],
    measure: Callable[[float], float],
    alphas: tuple[float, ...] = ALPHAS,
) -> dict[float, float]:
    """Leaves the trained detector with the best of the alphas; {alpha: what `measure` says of it}, the best
    first. Of equals the one with more of the trained weights is taken."""
    trained = detectors.values(trainer.detector.network)

    def take(alpha: float) -> None:
        assign(trainer.detector.network, blended(trainer.detector, start, trained, alpha, new_ids))
        if alpha < 1.0:  # statistics between two are those of neither
            trainer.measure_norms()

    measured = {}
    for alpha in alphas:
        take(alpha)
        measured[alpha] = measure(alpha)
    ranked = dict(sorted(measured.items(), key=lambda pair: (-pair[1], -pair[0])))
    take(next(iter(ranked)))
    return ranked


def _between(start: NDArray[Any], trained: NDArray[Any], alpha: float) -> NDArray[np.float32]:
    return (start + alpha * (trained - start)).astype(np.float32)


def _with_columns(
    values: NDArray[np.generic], source: NDArray[np.generic], head: ClassHead, columns: list[int]
) -> NDArray[np.generic]:
    shape = (*values.shape[:-1], head.per_cell, -1, head.values)
    changed = values.reshape(shape).copy()
    changed[..., columns, :] = source.reshape(shape)[..., columns, :]
    return changed.reshape(values.shape)
