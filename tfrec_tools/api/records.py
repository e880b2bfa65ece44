"""Annotations and records: what the light commands do, as functions that print nothing."""

from __future__ import annotations

from tfrec_tools.api.keywords import in_one_line, taking
from tfrec_tools.conversion import comparison
from tfrec_tools.conversion import convert as conversion
from tfrec_tools.conversion.convert import Checked
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.dataset import stats
from tfrec_tools.dataset.options import InspectOptions, VerifyOptions
from tfrec_tools.dataset.publish import Finished
from tfrec_tools.dataset.stats import Stats
from tfrec_tools.dataset.verify import Verified
from tfrec_tools.detector.options.comparing import CompareOptions
from tfrec_tools.extraction import extract as extraction
from tfrec_tools.extraction.extract import Extracted
from tfrec_tools.extraction.options import ExtractOptions
from tfrec_tools.remapping import label_merging
from tfrec_tools.remapping import remap as remapping
from tfrec_tools.remapping.label_merging import MergedLabels
from tfrec_tools.remapping.options import MergeLabelsOptions, RemapOptions
from tfrec_tools.set_comparison import sets
from tfrec_tools.set_comparison.sets import ComparedSets
from tfrec_tools.system.options import Progress, StrPath, silent

__all__ = [
    "Checked",
    "ComparedSets",
    "Extracted",
    "Finished",
    "MergedLabels",
    "Stats",
    "Verified",
    "compare_sets",
    "convert",
    "extract",
    "inspect",
    "merge_labels",
    "remap",
    "validate",
    "verify",
]


@taking(ConvertOptions)
def convert(options: ConvertOptions) -> Finished:
    """Converts annotations and their images to a set of sharded TFRecords, as `tfrec convert` does. Raises
    TfrecError: InputError where an input cannot be used, Refused where the policies allow an issue not."""
    return conversion.convert(options)


@taking(ValidateOptions)
def validate(options: ValidateOptions) -> Checked:
    """Checks annotations and images as `convert` does, without writing any records. Raises InputError where
    an input cannot be used; issues that would end a conversion are `refused` in the result."""
    return conversion.validate(options)


@taking(RemapOptions)
def remap(options: RemapOptions) -> Finished:
    """Rewrites records under a merged label map, and joins sets into one, as `tfrec remap` does. Raises
    TfrecError as `convert` does."""
    return remapping.remap(options)


@taking(ExtractOptions)
def extract(options: ExtractOptions) -> Extracted:
    """Writes the images and annotations of records into a folder, as `tfrec extract` does. Raises InputError
    where a record cannot be used, or where something is there already."""
    return extraction.extract(options)


@taking(MergeLabelsOptions)
def merge_labels(options: MergeLabelsOptions) -> MergedLabels:
    """Merges label maps into one, in which the first map's ids stay, as `tfrec merge-labels` does. Raises
    LabelConflict with all in which they disagree, InputError where one cannot be read."""
    return label_merging.merge_labels(label_merging.read(options))


@taking(VerifyOptions)
def verify(options: VerifyOptions) -> tuple[Verified, ...]:
    """Checks finished sets against their manifests, and with `against` one set against its source, as `tfrec
    verify` does. Raises InputError where there is no set, or a source cannot be used."""
    return comparison.verified(options)


@taking(InspectOptions)
def inspect(options: InspectOptions) -> Stats:
    """Counts what record files hold, as `tfrec inspect` does. Raises InputError where a record is damaged."""
    return stats.inspect(options)


@in_one_line
def compare_sets(
    a: StrPath, b: StrPath, *, out: StrPath | None = None, count: int = 200, progress: Progress = silent
) -> ComparedSets:
    """Holds two sets of records against each other, as `tfrec compare A B` does: which images and boxes came,
    went and changed. Raises InputError where one of them is no records.

    a, b: Sets DIR/NAME, files, folders or patterns; A is the one before.
    out: The page to write, a .html; none without.
    count: Number of images on the page, at most, those with most differences first.
    progress: Called meanwhile as progress(step, done, total, note).
    """
    page = CompareOptions(a, b, out=out, count=count).page
    result = sets.compare_sets(str(a), str(b), progress)
    if page is not None:
        sets.write_page(page, result, count, progress)
    return result
