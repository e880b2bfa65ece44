"""The arguments that the commands share which run a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    Path,
    typer.Option(help="Model folder: pipeline.config, label_map.pbtxt, checkpoint/.", show_default=False),
]
Batch = Annotated[int, typer.Option(min=1, help="Pictures at a time.")]
