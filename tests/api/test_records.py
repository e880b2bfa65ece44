"""The Python API from outside: what it costs, what it returns, and who takes its records."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfrec_tools as tfrec
from tests.helpers.small_sets import SCENES, coco, save_pictures, voc


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


@pytest.fixture
def made(tmp_path: Path, source: Path) -> Path:
    tfrec.convert(source, out=tmp_path / "out/set", shards=2)
    return tmp_path / "out/set"


def test_import_loads_nothing() -> None:
    program = "import sys; before = set(sys.modules); import tfrec_tools; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = {name for name in done.stdout.decode().split() if not name.startswith("importlib")}
    assert loaded <= {"tfrec_tools", "__future__", "warnings"}


def test_all_names_are_there() -> None:
    for name in tfrec.__all__:
        assert getattr(tfrec, name) is not None
    assert set(tfrec.__all__) <= set(dir(tfrec))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = tfrec.nonsense  # type: ignore[attr-defined]


def test_convert_and_validate_take_texts_paths_and_lists(tmp_path: Path, source: Path) -> None:
    done = tfrec.convert([str(source)], str(tmp_path / "out/set"), images=[tmp_path / "images"])
    assert (done.manifest.images, done.manifest.boxes, done.again) == (3, 5, False)
    assert tfrec.convert(source, tmp_path / "out/set", images=tmp_path / "images").again
    assert tfrec.validate(source).boxes == {"dog": 3, "cat": 2}
    strict = tfrec.validate(source, policy="strict")
    assert {issue.code for issue in strict.refused} == {"box-whole"}


def test_extract_gives_back_what_was_converted(tmp_path: Path, made: Path) -> None:
    done = tfrec.extract(made, to="coco", out=tmp_path / "extracted", workers=1)
    assert (done.summary.boxes, done.summary.unsaid) == (5, {})
    again = tfrec.convert(tmp_path / "extracted/annotations/instances.json", tmp_path / "again/set")
    assert again.manifest.boxes == 5


def test_what_is_refused(tmp_path: Path, source: Path) -> None:
    with pytest.raises(tfrec.InputError, match=r"^--jpeg-quality: is 0, expected at least 1 at most 100$"):
        tfrec.convert(source, tmp_path / "out/set", jpeg_quality=0)
    with pytest.raises(tfrec.InputError, match=r"^--masks: 'gif' is none of none, png$"):
        tfrec.convert(source, tmp_path / "out/set", masks="gif")  # type: ignore[arg-type]
    with pytest.raises(tfrec.Refused, match="box-whole"):
        tfrec.convert(source, tmp_path / "out/set", policy="strict")
    with pytest.raises(TypeError, match="nonsense"):
        tfrec.convert(source, tmp_path / "out/set", nonsense=1)  # type: ignore[call-arg]
    assert not list((tmp_path / "out").iterdir())


def test_help_says_what_each_keyword_means() -> None:
    assert tfrec.convert.__doc__ is not None
    assert "\njpeg_quality: JPEG quality of images that must be transcoded.\n" in tfrec.convert.__doc__


def test_progress_is_called(tmp_path: Path, source: Path) -> None:
    calls = list[tuple[str, int, int | None]]()

    def progress(step: str, done: int, total: int | None, note: str = "") -> None:
        assert not note
        calls.append((step, done, total))

    tfrec.convert(source, tmp_path / "out/set", progress=progress)
    assert calls[-1] == ("converting images", 3, 3)


def test_labels_are_merged_and_records_follow(tmp_path: Path, made: Path) -> None:
    (tmp_path / "old.pbtxt").write_text("item { id: 1 name: 'bird' }")
    merged = tfrec.merge_labels(
        tmp_path / "old.pbtxt", made.with_name("set.label_map.pbtxt"), out=tmp_path / "m.pbtxt"
    )
    assert merged.label_map.names == ("bird", "dog", "cat")
    tfrec.remap(made, labels=tmp_path / "m.pbtxt", out=tmp_path / "re/set")
    again = {sample.filename: sample.labels.tolist() for sample in tfrec.load(tmp_path / "re/set")}
    assert again == {"b.jpg": [2, 3], "a.png": [3], "c.jpg": [2, 2]}
    assert [verified.faults for verified in tfrec.verify(tmp_path / "re")] == [()]


def test_two_sets_are_compared(tmp_path: Path, made: Path, source: Path) -> None:
    tfrec.convert(source, tmp_path / "b/set", ignore="dog", no_negatives=True)
    seen = list[str]()
    found = tfrec.compare_sets(
        made,
        tmp_path / "b/set",
        out=tmp_path / "pages/a.html",
        count=1,
        progress=lambda step, *_: seen.append(step),
    )
    assert (found.only_a, found.only_b, found.other_bytes) == (1, 0, 0)
    assert found.counts()["dog"] == {"removed": 3}
    assert found.counts()["cat"] == {"same": 2}
    assert (tmp_path / "pages/a.html").is_file()
    assert seen[-1] == "drawing images"
    with pytest.raises(tfrec.InputError, match=r"expected \.html"):
        tfrec.compare_sets(made, made, out="page.txt")
    with pytest.raises(tfrec.InputError, match="no record files found"):
        tfrec.compare_sets(made, tmp_path / "none")


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_records_by_number(tmp_path: Path, source: Path, compression: Any) -> None:
    tfrec.convert(source, out=tmp_path / "out/set", shards=2, compression=compression)
    records = tfrec.load(tmp_path / "out/set")
    assert (len(records), records.classes) == (3, {1: "dog", 2: "cat"})
    samples = {sample.filename: sample for sample in records}
    for name, width, height, boxes in SCENES:
        sample = samples[name]
        assert isinstance(sample.image, np.ndarray)
        assert sample.image.shape == (height, width, 3)
        assert sample.names == tuple(box[0] for box in boxes)
        np.testing.assert_allclose(sample.boxes_xyxy, [box[1:] for box in boxes], rtol=1e-6, atol=1e-5)
        assert sample.labels.tolist() == [{"dog": 1, "cat": 2}[label] for label in sample.names]
    assert records[-1].filename == list(records)[-1].filename
    with pytest.raises(IndexError):
        records[3]
    encoded = tfrec.load(tmp_path / "out/set", decode=False)[0]
    assert encoded.image == (tmp_path / "images" / encoded.filename).read_bytes()


def test_what_a_record_says_comes_along(tmp_path: Path, source: Path) -> None:
    tfrec.convert(
        [source, voc(tmp_path)], tmp_path / "out/set", labeled=["cat", "cat,dog"], on="image-shared=keep"
    )
    labeled = [sample.labeled for sample in tfrec.load(tmp_path / "out/set")]
    assert labeled.count(None) == 5  # a box of dog says that dogs were looked for
    assert labeled.count(frozenset({"cat"})) == 1


def test_a_damaged_record_is_named(made: Path) -> None:
    file = min(made.parent.glob("*.tfrecord"))
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)
    with pytest.raises(tfrec.InputError, match=r"set-00000-of-00002\.tfrecord: record 0: .*CRC"):
        list(tfrec.load(made))
    with pytest.raises(tfrec.InputError, match="no record files found"):
        tfrec.load(made.with_name("none"))


def test_grain_takes_the_records(made: Path) -> None:
    grain = pytest.importorskip("grain.python")
    dataset = grain.MapDataset.source(tfrec.load(made)).shuffle(seed=3).map(lambda sample: sample.names)
    assert sorted(dataset[index] for index in range(len(dataset))) == [
        ("cat",),
        ("dog", "cat"),
        ("dog", "dog"),
    ]


def test_torch_takes_the_records(made: Path) -> None:
    data = pytest.importorskip("torch.utils.data")
    collate: Callable[[list[tfrec.Sample]], list[tfrec.Sample]] = list
    loader = data.DataLoader(tfrec.load(made), batch_size=2, collate_fn=collate, num_workers=1)
    assert sorted(sample.names for batch in loader for sample in batch) == [
        ("cat",),
        ("dog", "cat"),
        ("dog", "dog"),
    ]
