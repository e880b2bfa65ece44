"""What AutoML's and Vertex' files say of what an image is used for."""

from __future__ import annotations

# {ML_USE as AutoML, Vertex and Model Maker write it, in lower case: split}
USES = {
    "train": "train",
    "training": "train",
    "validate": "val",
    "validation": "val",
    "test": "test",
    "unassigned": None,
}
