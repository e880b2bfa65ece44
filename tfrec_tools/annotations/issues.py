"""Faults of annotations and images as values: what was found, where, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass

from tfrec_tools.errors import readable

# Public: tests, reports and users' scripts know an issue by its code. What stands behind the colon is
# what `tfrec convert` does about it.
CODES: dict[str, str] = {
    "box-outside": "the box leans over the edge of the image: clipped to it",
    "box-empty": "the box has no area, or none inside the image: dropped",
    "box-inverted": "the minimum lies above the maximum: dropped, since nothing says which corner is wrong",
    "box-not-finite": "a coordinate of the box is NaN or infinite: dropped",
    "box-tiny": "a side of the box is shorter than --min-side: kept",
    "box-whole": "the box covers the whole image: kept",
    "box-duplicate": "another box of the same class covers the same place (IoU over 0.95): kept",
    "box-missing": "the object has neither a box nor a shape to derive one from: dropped",
    "box-derived": "the object has no box of its own: derived from its polygon, mask or rotated box",
    "mask-damaged": "with --masks: the object's mask is none: nothing is written; kept, it is all 0",
    "region-ignored": "the region is marked as one that says nothing of what is in it (KITTI's DontCare): "
    "left out",
    "keypoints-damaged": "the object's keypoints are not as many as its class has, or one is no x, y and "
    "visibility: the box is kept without them",
    "keypoint-outside": "a labeled keypoint lies outside the image: it counts as not labeled",
    "keypoints-left-out": "with --keypoints none: the source has keypoints: left out, boxes are kept",
    "parts-left-out": "objects have parts, with boxes of their own (VOC's <part>): left out, the objects' "
    "boxes are kept",
    "class-unknown": "the annotation names no class, or one that the source does not list: dropped",
    "class-duplicate": "several category ids have one name: read as one class",
    "class-untrimmed": "the class's name has white space, such as a line break, around it: trimmed",
    "annotation-id-duplicate": "several annotations have one id: all are kept",
    "class-superfluous": "category 0 is only the parent of the others and has no boxes: left out",
    "class-left-out": "--only, --ignore or the merge leaves the class out: its boxes are dropped",
    "class-few": "the class has so few boxes that a detector will hardly learn it: kept",
    "class-similar": "two class names may be one, by case, spacing, a typo or a plural: kept apart",
    "image-unknown": "the annotation belongs to an image that the source does not list: dropped",
    "image-duplicate": "an image stands more than once in the source",
    "image-shared": "the same image, byte for byte, is in two sources: their annotations are joined",
    "image-id-shared": "different images have one id: source_id is made from source and id",
    "image-missing": "no image file of that name is found: nothing is written",
    "image-ambiguous": "several image files have that name, or several images one: nothing is written",
    "image-damaged": "the image file is cut off, damaged or no image: nothing is written",
    "image-huge": "the image has more pixels than --max-pixels: nothing is written",
    "image-suffix": "the image file's name says another format than its bytes: stored by its bytes",
    "image-transcoded": "TensorFlow cannot decode the image file as it is: stored as JPEG or PNG",
    "exif-turned": "the annotation is of the image as its EXIF orientation turns it: the pixels were turned",
    "exif-kept": "the EXIF orientation was ignored, as TensorFlow does; nothing says that the annotation is "
    "of the turned image",
    "size-mismatch": "the annotation states another size than the image has: boxes taken as its pixels, or "
    "scaled with --rescale (those of Label Studio, which are percent, always)",
    "filename-mismatch": "the annotation names no image, or another than its own file does: the image of its "
    "own name was taken; or one in a folder where there is none: that of another folder was taken",
    "path-outside": "a path leads out of the folder that was given: an image is looked for inside by its "
    "name alone; a place that data.yaml or a list of images names is read: kept",
    "filename-escaped": "the image's file name is no UTF-8: such bytes are written as \\xNN",
    "image-unannotated": "nothing says what is in the image, not even that it is empty: kept without objects",
    "annotation-unread": "something in the source is not understood where it stands: not carried over",
    "annotation-damaged": "an annotation file, or a record, that cannot be read: nothing is written",
    "class-mismatch": "a record's class name is not that of its class id in the label map: taken by name",
    "class-conflict": "records give one class id several names, or one name several ids: taken by name",
    "feature-left-out": "old records have features that are not carried over: left out",
    "label-ids-differ": "a set in the same folder gives other ids to classes of the same names: kept",
    "split-missing": "the source names a place for a split, and nothing is there: the split is left out",
    "split-conflict": "the source puts the image into several splits: the first one counts",
}


@dataclass(frozen=True, slots=True)
class Issue:
    """A fault that was found.

    code      a key of CODES
    source    where it stands ("instances.json images[17]", "a.xml")
    box       which box of the image, from 0; None where it concerns no box
    message   what was found, with the numbers
    fixed     whether the output is free of it: the box was clipped or dropped, the image transcoded
    """

    code: str
    source: str
    box: int | None
    message: str
    fixed: bool

    def __post_init__(self) -> None:
        for field in ("source", "message"):
            object.__setattr__(self, field, readable(getattr(self, field)))
        if self.code not in CODES:
            raise ValueError(f"issue code {self.code!r} is none of {', '.join(CODES)}")
