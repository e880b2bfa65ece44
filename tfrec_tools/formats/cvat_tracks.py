"""The tracks of a CVAT XML file for video, by frame.

CVAT writes an object at every frame that it is in: at keyframes as it was drawn, between them (keyframe="0")
as it is interpolated, and once outside="1" where it has left. What others write may have keyframes alone:
then nothing says whether the object is between them, unless it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tfrec_tools.errors import InputError
from tfrec_tools.formats.cvat_meta import NO_SUBSET, Meta, Task, split_of
from tfrec_tools.formats.cvat_shapes import ShapeReading, drawn_of
from tfrec_tools.formats.drawn import Drawn, DrawnImage
from tfrec_tools.formats.options import ReadOptions
from tfrec_tools.formats.shapes import Corners, turned

_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_LONGEST = 9  # digits of a frame
_MOST_FRAMES = 500_000  # of a task; 4 hours of film
_MOST_FILLED = 5_000_000  # objects that are put between keyframes


@dataclass(frozen=True, slots=True)
class _State:
    """A track's object at a frame; None where it is outside of the image. `upright` is its box as it stands
    before it is turned by `degrees`; None of other shapes."""

    frame: int
    drawn: Drawn | None
    upright: Corners | None = None
    degrees: float = 0.0


class Tracks:
    """The tracks of a file, added one by one, and then given by frame."""

    def __init__(self, file: Path, meta: Meta, options: ReadOptions) -> None:
        self.lost: list[str] = []  # what stands at no frame
        self._file = file
        self._meta = meta
        self._options = options
        self._frames: dict[tuple[str, str], dict[int, list[Drawn]]] = {}  # by subset and task
        self._is_whole = False  # whether interpolated shapes stand in the file
        self._filled = 0  # objects that were put between keyframes
        self._gaps: list[str] = []  # tracks that are not there between two of their keyframes

    def add(self, track: Any, number: int) -> None:
        """Takes the track of that number."""
        task_id, subset = track.get("task_id", ""), track.get("subset", "")
        task = self._meta.task(task_id)
        states = self._states(track, f"tracks[{number}]", task)
        if self._options.keyframes == "interpolate":
            states = self._interpolated(f"tracks[{number}]", states, task)
        elif any(_is_gap(before, after, task.step) for before, after in pairwise(states)):
            self._gaps.append(f"tracks[{number}]")
        of_frame = self._frames.setdefault((subset, task_id), {})
        for state in states:
            of_frame.setdefault(state.frame, []).extend([state.drawn] if state.drawn else [])

    def _states(self, track: Any, place: str, task: Task) -> list[_State]:
        """Returns the objects of a track by frame. What stands at no frame is lost."""
        reading = ShapeReading(task.size_wh, self._options.masks, self._options.boxes_from == "keypoints")
        name, states = track.get("label", ""), []
        for index, shape in enumerate(track):
            frame = shape.get("frame", "")
            self._is_whole = self._is_whole or shape.get("keyframe") == "0"
            if not frame.isdecimal() or len(frame) > _LONGEST:
                self.lost.append(f"{place} shapes[{index}]: frame is {frame[:20]!r}, expected a number")
            elif _is_outside(shape):
                states.append(_State(int(frame), None))
            else:
                drawn = replace(drawn_of(shape, name, index, reading), where=f"{place} shapes[{index}]")
                states.append(_State(int(frame), drawn, *_upright(shape, drawn)))
        return sorted(states, key=lambda state: state.frame)

    def _interpolated(self, place: str, states: Sequence[_State], task: Task) -> list[_State]:
        """Returns what stands at each frame of a track, as CVAT interpolates: boxes linearly, turned the
        shorter way round; after the last keyframe the object stays. Raises InputError where that is another
        shape's, or without end."""
        whole: list[_State] = []
        for at, state in enumerate(states):
            whole.append(state)
            if state.drawn is None:
                continue
            after = states[at + 1] if at + 1 < len(states) else None
            end = after.frame if after else (task.frames.stop if task.frames else state.frame)
            between = range(state.frame + task.step, end, task.step)
            self._filled += len(between)
            if self._filled > _MOST_FILLED:
                reason = f"has more than {_MOST_FILLED} objects between keyframes, expected fewer"
                raise InputError(self._file, reason, where=place)
            if between and state.upright is None:
                reason = "has frames between its keyframes, which only CVAT fills for shapes other than boxes"
                raise InputError(self._file, f"{reason}; export it from CVAT", where=place)
            target = after if after and after.drawn and after.upright else state
            whole += [_between(state, target, frame, end) for frame in between]
        return whole

    def images(self, source: str, folder: str) -> Iterator[DrawnImage]:
        """Yields the frames of each task in their order, with CVAT's names for their images. All of the range
        that the task has are images, those without objects too; where the file has keyframes alone, only
        those are. Raises InputError where it is not said whether there is anything between these, or where
        two tasks have the same names for different images."""
        self._require_clear()
        is_sparse = bool(self._gaps) and not self._is_whole
        for (subset, task_id), of_frame in self._frames.items():
            task = self._meta.task(task_id)
            if task.frames is not None and len(task.frames) > _MOST_FRAMES:
                reason = f"a task of {len(task.frames)} frames, expected at most {_MOST_FRAMES}"
                raise InputError(self._file, f"{reason}; are start_frame and stop_frame right?")
            within = subset or (task.subset if task_id else "")
            frames = of_frame if is_sparse or task.frames is None else {*of_frame, *task.frames}
            for frame in sorted(frames):
                name = f"frame_{frame:06d}"
                yield DrawnImage(
                    source=f"{source} {f'task {task_id} ' if task_id else ''}frame {frame}",
                    filename="/".join(filter(None, (folder, within, name))),
                    objects=tuple(of_frame.get(frame, ())),
                    width=task.size_wh[0],
                    height=task.size_wh[1],
                    split=split_of(subset or task.subset),
                )

    def _require_clear(self) -> None:
        if self._gaps and not self._is_whole and self._options.keyframes is None:
            reason = (
                f"{self._gaps[0]} (of {len(self._gaps)} such tracks) is not there between two of its frames, "
                "and no shape is interpolated (keyframe=0); say by --keyframes interpolate that it is, or by "
                "--keyframes alone that only the frames with shapes were annotated"
            )
            raise InputError(self._file, reason)
        by_subset: dict[str, str] = {}
        for subset, task_id in self._frames:
            other = by_subset.setdefault(subset, task_id)
            if other != task_id:
                where = "no subset" if subset.lower() in NO_SUBSET else f"subset {subset}"
                reason = f"the frames of tasks {other} and {task_id}, both of {where}, have the same names"
                raise InputError(self._file, f"{reason}; export one task at a time")


def _is_outside(shape: Any) -> bool:
    """Returns whether an object has left the image; a skeleton has where all of its points have."""
    if shape.tag != "skeleton":
        return bool(shape.get("outside") == "1")
    points = [child for child in shape if child.tag == "points"]
    return bool(points) and all(child.get("outside") == "1" for child in points)


def _upright(shape: Any, drawn: Drawn) -> tuple[Corners | None, float]:
    if shape.tag != "box" or drawn.box_xyxy is None:
        return None, 0.0
    xmin, ymin, xmax, ymax = (float(shape.get(name)) for name in _CORNERS)
    return (xmin, ymin, xmax, ymax), float(shape.get("rotation", 0))


def _is_gap(before: _State, after: _State, step: int) -> bool:
    return before.drawn is not None and after.frame - before.frame > step


def _between(state: _State, target: _State, frame: int, end: int) -> _State:
    assert state.drawn is not None
    assert state.upright is not None
    assert target.upright is not None
    share = (frame - state.frame) / (end - state.frame)
    xmin, ymin, xmax, ymax = (a + (b - a) * share for a, b in zip(state.upright, target.upright, strict=True))
    way = (target.degrees - state.degrees + 180) % 360 - 180
    radians = math.radians((state.degrees + way * share) % 360)
    box = turned((xmin, ymin, xmax, ymax), ((xmin + xmax) / 2, (ymin + ymax) / 2), radians)
    where = f"{state.drawn.where} at frame {frame}"
    return _State(frame, replace(state.drawn, where=where, box_xyxy=box, shape="keyframes before and after"))
