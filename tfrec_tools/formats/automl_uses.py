"""What AutoML's and Vertex' files say of an image besides its boxes: where it is, and for what it is used."""

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


def name_in_bucket(uri: str) -> str:
    """Returns the path of an image in its bucket, or that of a file as it is."""
    scheme, separator, rest = uri.partition("://")
    return rest.partition("/")[2] if separator and scheme.isalnum() else uri
