"""Label Studio's JSON and JSON_MIN (https://labelstud.io/guide/export): tasks, of an image each, or
of several."""

from __future__ import annotations

import re
from pathlib import Path

from tfrec_tools.annotations.records import Source
from tfrec_tools.errors import readable
from tfrec_tools.formats.drawn import source, without_masks
from tfrec_tools.formats.json_documents import document
from tfrec_tools.formats.labelstudio_images import drawn_images
from tfrec_tools.formats.labelstudio_tasks import tasks_of
from tfrec_tools.formats.options import DEFAULT, ReadOptions
from tfrec_tools.formats.sniffing import ends

_MARKS = re.compile(
    rb'"(?:(?:rectangle|polygon|ellipse|brush|keypoint)labels|was_cancelled|from_name|annotator)"\s*:'
)
_EXPECTED = "Label Studio's JSON or JSON_MIN"


def read(path: Path, options: ReadOptions = DEFAULT) -> Source:
    """Returns the images of the tasks in the file's order. Classes are those that occur, in alphabetical
    order. A task that is skipped or has no annotation is image-unannotated; predictions and drafts are no
    annotations. Raises InputError where the file is none of Label Studio's."""
    tasks = tasks_of(path, document(path, _EXPECTED))
    name, masks = readable(path.name), options.masks
    images = drawn_images(name, tasks, masks)
    return source(images, issues=without_masks(images) if masks else ())


def shows(file: Path) -> bool:
    """Returns whether a JSON file is Label Studio's."""
    return _MARKS.search(ends(file)) is not None
