"""A run's curves for TensorBoard, written without TensorBoard, which need not be installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

# How TensorBoard knows what to draw.
_SCALARS = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
)


class Board:
    """A file of events in a folder; a resumed run adds another, which TensorBoard shows as one."""

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """{name of the curve: its value at the step}; None is left out."""
        with self._writer.as_default(step):
            for name, value in values.items():
                if value is not None:
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALARS)

    def flush(self) -> None:
        self._writer.flush()
