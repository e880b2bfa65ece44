"""What columns of a CSV file are called, and which of them together say where a box is: two corners, a corner
or a centre with a size, a column with all of its numbers, or four corners."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tfrec_tools.formats.options import BOX_FORMATS

CORNERS = ("xmin", "ymin", "xmax", "ymax")
SIZES = ("width", "height")  # of the image
BBOX = "bbox"
QUADRILATERAL = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
FOUR_CORNERS = "four corners"  # the kind of box that has these, and is none of BOX_FORMATS
ANGLE = "angle"
SPLIT = "split"
FLAGS = ("occluded", "truncated", "group_of", "difficult")
_POINT, _CENTRE, _SIDES = ("x", "y"), ("cx", "cy"), ("w", "h")
POINTS = {CORNERS[:2]: "xywh", _CENTRE: "cxcywh", _POINT: "xywh"}  # {which a size follows: kind of box}

# Common names, the likeliest first; case and all but letters and digits are left out of account.
NAMES: dict[str, tuple[str, ...]] = {
    "filename": (
        *("filename", "file", "imagename", "imagefile", "imagepath", "filepath", "path", "imgpath"),
        *("image", "img", "imageid", "imagefilename", "imgname", "imgfile", "imgid", "patientid"),
    ),
    "width": ("width",),
    "height": ("height",),
    "image_width": ("imagewidth", "imgwidth", "imwidth", "imagew", "imgw"),
    "image_height": ("imageheight", "imgheight", "imheight", "imageh", "imgh"),
    "class": (
        *("class", "classname", "label", "labelname", "celltype", "category", "categoryname", "name"),
        *("classlabel", "objectclass", "objectname"),
    ),
    "xmin": ("xmin", "x1", "left", "bboxxmin", "x0", "bboxx1", "bboxleft", "boxxmin", "xtl", "xleft"),
    "ymin": ("ymin", "y1", "top", "bboxymin", "y0", "bboxy1", "bboxtop", "boxymin", "ytl", "ytop"),
    "xmax": ("xmax", "x2", "right", "bboxxmax", "bboxx2", "bboxright", "boxxmax", "xbr", "xright"),
    "ymax": ("ymax", "y2", "bottom", "bboxymax", "bboxy2", "bboxbottom", "boxymax", "ybr", "ybottom"),
    "x": ("x", "bboxx", "boxx", "bx"),
    "y": ("y", "bboxy", "boxy", "by"),
    "cx": ("cx", "xcenter", "xcentre", "centerx", "centrex", "xc", "bboxcx", "bboxxcenter", "boxcx"),
    "cy": ("cy", "ycenter", "ycentre", "centery", "centrey", "yc", "bboxcy", "bboxycenter", "boxcy"),
    "w": ("w", "bboxw", "boxw", "bw", "bboxwidth", "boxwidth"),
    "h": ("h", "bboxh", "boxh", "bh", "bboxheight", "boxheight"),
    BBOX: (
        *("bbox", "bboxes", "box", "boxes", "boundingbox", "boundingboxes", "boxesstring", "bboxstring"),
        *(f"{begin}{form}" for form in BOX_FORMATS for begin in ("", "bbox", "box", "bboxes", "boxes")),
        "annotations",
    ),
    **dict.fromkeys(QUADRILATERAL, ()),  # `points_of` finds them
    ANGLE: (
        *("angle", "theta", "rotation", "rot", "rotationangle"),
        *("bboxangle", "boxangle", "bboxrotation", "boxrotation"),
    ),
    "occluded": ("occluded", "isoccluded"),
    "truncated": ("truncated", "istruncated"),
    "group_of": ("groupof", "isgroupof"),
    "difficult": ("difficult", "isdifficult"),
    SPLIT: ("split", "subset", "partition", "datasplit", "datasetsplit"),
}
# What people write where there is no number, and instead of a class where there is nothing to be seen.
BLANKS = frozenset(("", "nan", "null", "none", "na", "n/a", "nil", "-"))
NO_CLASS = BLANKS | frozenset(("no finding", "no findings", "no object", "no objects", "nothing", "empty"))
_CVATS_POINTS = ("xtl", "ytl", "xtr", "ytr", "xbr", "ybr", "xbl", "ybl")
_ENDS_WITH_FORM = re.compile(rf".*({'|'.join(BOX_FORMATS)})")


@dataclass(frozen=True, slots=True)
class Form:
    """How a file says where boxes are.

    kind      one of BOX_FORMATS or FOUR_CORNERS; "" where it is not known: the numbers of a column may say
              it themselves
    columns   our names of the columns with the numbers: four, eight of four corners, or one with all of them
    is_open   whether a point x, y may be the corner or the centre, as nothing but its size says what it is
    """

    kind: str
    columns: tuple[str, ...]
    is_open: bool = False

    def may_be(self) -> tuple[str, ...]:
        """Returns the box formats that the names of the columns allow."""
        if self.is_open:
            return "xywh", "cxcywh"
        return (self.kind,) if self.kind else BOX_FORMATS


def plain(name: str) -> str:
    """Returns a name in lower case without all but its letters and digits."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def by_name(header: Sequence[str], told: Container[str] = ()) -> dict[str, int]:
    """Returns the number of the first column of the most likely name, for each of our names but those told.
    Of three points and more no two are the corners of an upright box; four are a quadrilateral."""
    points = points_of(header)
    is_shape = len(points) > len(CORNERS) and not any(name in told for name in CORNERS)
    spellings = ["" if is_shape and at in points else plain(name) for at, name in enumerate(header)]
    columns = {}
    for name, likely in NAMES.items():
        at = next((spellings.index(spelling) for spelling in likely if spelling in spellings), None)
        if name not in told and at is not None:
            columns[name] = at
    ours: Sequence[str] = ()
    if is_shape and len(points) == len(QUADRILATERAL):
        ours = QUADRILATERAL
    elif (
        len(points) == len(CORNERS) and "x0" in spellings and not {"x2", "y2", "xmax", "ymax"} & {*spellings}
    ):
        ours = CORNERS
    return columns | {name: at for name, at in zip(ours, points, strict=False) if name not in told}


def points_of(header: Sequence[str]) -> tuple[int, ...]:
    """Returns the numbers of the columns of points, as x, y, x, y, ...: those called x1, y1, x2, ... or from
    x0 on, or the four that are called xtl, ytl (top left) and so on."""
    spellings = [plain(name) for name in header]
    for begin in ("", "bbox"):
        points: list[int] = []
        first = 0 if {f"{begin}x0", f"{begin}y0"} <= set(spellings) else 1
        for number in itertools.count(first):
            names = [f"{begin}{axis}{number}" for axis in "xy"]
            if not set(names) <= set(spellings):
                break
            points += map(spellings.index, names)
        if points:
            return tuple(points)
    return tuple(map(spellings.index, _CVATS_POINTS)) if {*_CVATS_POINTS} <= set(spellings) else ()


def form_of(header: Sequence[str], columns: Mapping[str, int], named: Iterable[str] = ()) -> Form | None:
    """Returns how a file says where boxes are, None where it does not. Of several ways that one counts of
    which the user named most columns, else the plainest.

    columns   {our name: number of the column}
    named     our names of the columns that the user named
    """
    own = frozenset(named)
    forms = [form for form in _forms(header, columns, own) if all(name in columns for name in form.columns)]
    return max(forms, key=lambda form: len(own & set(form.columns)), default=None)


def _forms(header: Sequence[str], columns: Mapping[str, int], named: frozenset[str]) -> Iterable[Form]:
    """Yields the ways, the plainest first: of equal ones `max` takes the first."""
    yield Form("xyxy", CORNERS)
    for point, kind in POINTS.items():
        if point != CORNERS[:2] or not set(CORNERS[2:]) & set(columns):
            for size in _sizes(columns, point, named):
                yield Form(kind, (*point, *size), is_open=point == _POINT)
    yield Form(FOUR_CORNERS, QUADRILATERAL)
    if BBOX in columns:
        match = _ENDS_WITH_FORM.fullmatch(plain(header[columns[BBOX]])) if header else None
        yield Form(match[1] if match else "", (BBOX,))


def _sizes(
    columns: Mapping[str, int], point: Sequence[str], named: frozenset[str]
) -> Iterable[Sequence[str]]:
    """Yields the columns that may be the sizes of boxes which have such a point. Columns called width and
    height are only where they are of no image: where the user names them beside the point or the image has
    columns of its own, or where they follow the point."""
    if {*point, *SIZES} <= named:
        yield SIZES
    yield _SIDES
    if {*point, *SIZES} <= set(columns) and BBOX not in columns:
        at = [columns[name] for name in (*point, *SIZES)]
        follow = sorted(at) == list(range(min(at), min(at) + 4)) and max(at[:2]) < min(at[2:])
        if follow or {"image_width", "image_height"} <= set(columns):
            yield SIZES


def two_corners(numbers: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Returns (N, 4) boxes [xmin ymin xmax ymax] of (N, 4) numbers as one of BOX_FORMATS has them, or of (N,
    8) of four corners x, y."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _CORNERS_OF[kind](numbers)


def _of_centres(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    half = numbers[:, 2:] / 2
    return np.hstack([numbers[:, :2] - half, numbers[:, :2] + half])


def _around(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    corners = numbers.reshape(-1, 4, 2)
    return np.hstack([corners.min(axis=1), corners.max(axis=1)])


_CORNERS_OF: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "xyxy": lambda numbers: numbers,
    "xywh": lambda numbers: np.hstack([numbers[:, :2], numbers[:, :2] + numbers[:, 2:]]),
    "cxcywh": _of_centres,
    FOUR_CORNERS: _around,
}
