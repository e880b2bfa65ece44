"""`python -m tests.bench.same_bytes REVISION`: converts and remaps what lies in sample_data and, where it is
there, ../shared/data, by the code of a revision and by that of the working tree, and compares what is written
file by file. Manifests are left out: they hold versions and digests of their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.helpers.places import ROOT

_SIDECAR = ".manifest.json"
_BROKEN_OPTIONS = ("--images", str(ROOT / "sample_data"))
_SHARED_SETS: tuple[tuple[str, ...], ...] = (
    ("bccd/BCCD",),
    ("bccd/BCCD", "--split", "source"),
    ("bccd/test.csv", "--images", "bccd/BCCD/JPEGImages"),
    ("coco_tiny_38/annotations/instances_train2017.json", "--masks", "png"),
    ("coco_tiny_38/annotations/instances_val2017.json", "--max-side", "200"),
    ("playing_cards/images/train", "--split", "train=0.8,val=0.2"),
    ("playing_cards/images/test_labels.csv", "--rescale"),
    ("raccoon/annotations", "--images", "raccoon/images"),
    ("raccoon/data/raccoon_labels.csv", "--images", "raccoon/images"),
    ("raccoon/data/test.record",),
    ("roboflow_rbc_wbc_coco/train/_annotations.coco.json",),
    ("roboflow_rbc_wbc_coco/valid/_annotations.coco.json",),
    ("voc2012_100/data/database/gts/pascalvoc_format", "--images", "voc2012_100/data/database/images"),
    ("voc2012_100/data/database/dets/coco_format/coco_dets.json",),
)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    revision = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        tree, folder = Path(temporary) / "tree", Path(temporary)
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", tree, revision], cwd=ROOT, check=True
        )
        try:
            differing = [name for name, words in _commands() if not _is_same(name, words, tree, folder)]
        finally:
            _git("worktree", "remove", "--force", str(tree))
    sys.exit(f"not the same: {', '.join(differing)}" if differing else None)


def _git(*words: str) -> None:
    subprocess.run(["git", *words], cwd=ROOT, check=True)


def _commands() -> Iterator[tuple[str, Sequence[str]]]:
    """(name of the set, words of the command without --out)"""
    sample = ROOT / "sample_data"
    for split in ("old", "new", "val"):
        for source in ("annotations.coco.json", "annotations.csv", "voc"):
            yield f"{split}/{source}", ("convert", str(sample / split / source), "--masks", "png")
    for path in sorted((sample / "broken").iterdir()):
        if path.suffix not in (".md", ".pbtxt") and path.name != "images":
            yield f"broken/{path.name}", ("convert", str(path), *_BROKEN_OPTIONS)
    shared = ROOT.parent / "shared" / "data"
    for source, *options in _SHARED_SETS if shared.is_dir() else ():
        words = [str(shared / word) if (shared / word).exists() else word for word in options]
        yield " ".join((source, *options)), ("convert", str(shared / source), *words)


def _is_same(name: str, words: Sequence[str], tree: Path, folder: Path) -> bool:
    before, after = (_written(words, code, folder / key / name) for key, code in (("a", tree), ("b", ROOT)))
    same = before == after
    print(f"{'same' if same else 'DIFFERS'}: {len(after)} file(s) of {name}")
    return same


def _written(words: Sequence[str], code: Path, out: Path) -> dict[str, str]:
    """{file: its SHA-256} of a set and of the same remapped to its own labels; {} where it is refused."""
    _tfrec(code, *words, "--out", str(out / "set"))
    labels = out / "set.label_map.pbtxt"
    if labels.exists():
        _tfrec(code, "remap", str(out / "set"), "--labels", str(labels), "--out", str(out / "remapped"))
    files = sorted(path for path in out.rglob("*") if path.is_file() and not path.name.endswith(_SIDECAR))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _tfrec(code: Path, *words: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(code)}
    command = [sys.executable, "-P", "-m", "tfrec_tools", *words]
    subprocess.run(command, env=environment, cwd=code, capture_output=True, check=False)


if __name__ == "__main__":
    main()
