"""What the head of a CVAT XML file says: its labels, and the frames of its tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tfrec_tools.formats.split_names import split_called

_STEP = re.compile(r"step\s*=\s*(\d+)")
NO_SUBSET = ("", "default")  # as CVAT calls images that are in none


@dataclass(frozen=True, slots=True)
class Task:
    """A task or job: the frames that it has (None where the file does not say), how many stand between two
    of them, their size in pixels (0 where the file does not say), and the subset that it is in."""

    frames: range | None = None
    size_wh: tuple[int, int] = (0, 0)
    subset: str = ""

    @property
    def step(self) -> int:
        return self.frames.step if self.frames else 1


@dataclass(slots=True)
class Meta:
    """The head, empty until it is read: classes in their order, and tasks by id; "" is the only one."""

    classes: list[str] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)

    def read(self, element: Any) -> None:
        """Takes what an element <meta> says. The parts of a skeleton, which name it as their parent, are no
        classes."""
        for label in element.iterfind("*/labels/label"):
            name = (label.findtext("name") or "").strip()
            if name and not (label.findtext("parent") or "").strip():
                self.classes.append(name)
        for task in element.iterfind("project/tasks/task"):
            self.tasks[_text(task, "id")] = _task(task, task)
        alone = [child for tag in ("task", "job") for child in element.iterfind(tag)]
        if len(alone) == 1:
            self.tasks[""] = _task(alone[0], element)

    def task(self, task_id: str) -> Task:
        return self.tasks.get(task_id) or self.tasks.get("") or Task()


def split_of(subset: str) -> str | None:
    """Returns the split that a subset is ("Train" is train, "Validation" is val)."""
    if subset.strip().lower() in NO_SUBSET:
        return None
    name = re.sub(r"[^A-Za-z0-9_]", "_", subset.strip().lower())
    return split_called(name)


def whole(word: str | None) -> int:
    """Returns a number of pixels; 0 where it is none."""
    return int(word) if word and word.isdecimal() and len(word) < 10 else 0


def _task(task: Any, around: Any) -> Task:
    """Returns a task; older versions write the frames' size beside it."""
    size = next(_sizes(task, around), (0, 0))
    return Task(_frames(task), size, _text(task, "subset"))


def _sizes(*elements: Any) -> Iterator[tuple[int, int]]:
    for element in elements:
        for size in element.iterfind("original_size"):
            yield whole(_text(size, "width")), whole(_text(size, "height"))


def _frames(task: Any) -> range | None:
    """Returns the frames from start_frame to stop_frame, that included; else as many as `size` says."""
    step = _STEP.search(_text(task, "frame_filter"))
    by = max(1, whole(step[1])) if step else 1
    first, last = _text(task, "start_frame"), _text(task, "stop_frame")
    if first.isdecimal() and last.isdecimal():
        frames = range(whole(first), whole(last) + 1, by)
    else:
        frames = range(0, whole(_text(task, "size")) * by, by)
    return frames or None


def _text(element: Any, tag: str) -> str:
    return (element.findtext(tag) or "").strip()
