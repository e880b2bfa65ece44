"""The arguments that the commands share which run a model."""

from __future__ import annotations

from typing import Annotated

import typer

MEANS = "Model folder (pipeline.config, label_map.pbtxt, checkpoint/), or a name from `tfrec models`."

Model = Annotated[str, typer.Option(help=MEANS, show_default=False)]
Batch = Annotated[int, typer.Option(min=1, help="Pictures at a time.")]
