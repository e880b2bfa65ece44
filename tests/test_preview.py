"""Sheets and pages: pictures that open, boxes where they belong, texts that cannot break the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import html
from PIL import Image

from tests.helpers.command import fault, tfrec
from tests.helpers.pages import cards, data_of
from tests.helpers.small_sets import coco, csv, save_picture, save_pictures
from tfrec_tools import preview
from tfrec_tools.annotations.records import ByteRange, image_record
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.conversion.preview_options import PreviewOptions
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.drawing import gallery, previews, sheet
from tfrec_tools.drawing.gallery import Head
from tfrec_tools.drawing.previews import Chosen
from tfrec_tools.errors import InputError, LabelConflict


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


def page_of(chosen: Chosen, title: str = "t") -> bytes:
    return gallery.render(Head(title), chosen).html


def test_a_sheet_and_a_page_from_records_and_from_a_source(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/new", split="train=0.5,val=0.5"))
    for what in (tmp_path / "out/new", tmp_path / "out/new-train*", source):
        for suffix in ("png", "html"):
            out, _ = tfrec("preview", what, "--out", tmp_path / f"seen.{suffix}")
            assert re.search(r"seen.\w+: [123] images, \d boxes", out)
        assert cards((tmp_path / "seen.html").read_bytes())
        with Image.open(tmp_path / "seen.png") as image:
            assert image.format == "PNG"


def test_the_first_of_records_and_all_over_a_source(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/new"))
    of_records = preview.of_records([str(tmp_path / "out/new")], 2)
    assert (len(of_records.images), of_records.total, of_records.classes) == (2, 3, ("dog", "cat"))
    of_source = preview.of_source(ConvertOptions(source, tmp_path), 2)
    assert [item().record.filename for item in of_source.images] == ["b.jpg", "a.png"]
    assert (of_source.total, of_source.classes) == (3, ("dog", "cat"))


def test_classes_are_chosen_and_renamed(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/new"))
    words: dict[str, Any] = {"ignore": "dog", "rename": "cat=tom"}
    for shown in (
        preview.of_records([str(tmp_path / "out/new")], 9, ClassOptions(**words)),
        preview.of_source(ValidateOptions(source, **words).as_conversion, 9),
    ):
        assert sorted(item().record.names for item in shown.images) == [(), ("tom",), ("tom",)]
    flags = ("--out", tmp_path / "seen.html", "--ignore", "dog", "--rename", "cat=tom")
    assert "seen.html: 3 images, 2 boxes" in tfrec("preview", source, *flags)[0]
    with pytest.raises(LabelConflict, match="--only names 'cow', which is no class of the sources"):
        preview.of_records([str(tmp_path / "out/new")], 9, ClassOptions(only="cow"))


def test_boxes_stand_where_they_belong(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg", 400, 200)
    one = csv(tmp_path, [("a.jpg", 400, 200, [("cat", 100, 50, 200, 150), ("dog", -50, 0, 10, 300)])])
    (card,) = cards(page_of(preview.of_source(ConvertOptions(one, tmp_path), 1)))
    assert card["thumb"] == [400, 200]
    assert [box[1:] for box in card["boxes"]] == [[4, 100, 50, 100, 100], [5, -50, 0, 60, 300]]
    assert (card["codes"], card["classes"]) == (["box-outside"], ["cat", "dog"])


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    name = "'\"></figure></script><script>alert('x')</script>{{cards}}{{ cards }}{% raw %}<!--"
    one = csv(tmp_path, [("a.jpg", 60, 40, [(name, 1, 1, 90, 9)])])
    data = page_of(preview.of_source(ConvertOptions(one, tmp_path), 1), "<b>")
    document = html.fromstring(data)
    assert [script.get("id") for script in document.findall(".//script")] == ["data", None]
    assert document.find(".//h1").text == "<b>"
    assert document.find(".//span[@title]").text == name
    assert data_of(data)["classes"][0][0] == name
    assert b"alert" not in data.replace(b"\\u003cscript\\u003ealert", b"").replace(
        b"&lt;script&gt;alert", b""
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "1", "LA"])
def test_pictures_of_every_mode(tmp_path: Path, mode: str) -> None:
    save_picture(tmp_path / "images/a.png", mode=mode)
    one = csv(tmp_path, [("a.png", 60, 40, [("cat", 1, 1, 9, 9)])])
    shown = preview.of_source(ConvertOptions(one, tmp_path), 1)
    image = Image.open(BytesIO(sheet.sheet(shown)[0]))
    values = np.asarray(image.convert("L"))
    assert values.std() > 20
    assert "src" in cards(page_of(shown))[0]


def test_boxes_that_are_not_finite_are_left_out_and_damaged_pictures_said(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    (tmp_path / "images/b.jpg").write_bytes(b"\xff\xd8\xff")
    boxes = [("cat", 1, 1, float("inf"), 9), ("cat", float("nan"), 1, 9, 9)]
    one = csv(tmp_path, [("a.jpg", 60, 40, boxes), ("b.jpg", 60, 40, boxes)])
    shown = preview.of_source(ConvertOptions(one, tmp_path), 2)
    assert sheet.sheet(shown)
    good, damaged = cards(page_of(shown))
    assert [len(box) for box in (*good["boxes"], *damaged["boxes"])] == [2] * 4
    assert (damaged["lack"], "src" in damaged) == ("this file cannot be shown", False)


def test_images_of_more_pixels_than_pillow_opens_are_shown(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1100)  # a text is a small image, too
    shown = preview.of_source(ConvertOptions(source, tmp_path), 2)
    assert sheet.sheet(shown)
    assert not any("lack" in card for card in cards(page_of(shown)))


def test_a_page_of_issues_shows_the_first_pictures_of_each(tmp_path: Path) -> None:
    scenes = []
    for i in range(gallery.EXAMPLES + 5):
        save_picture(tmp_path / f"images/{i}.jpg")
        scenes.append((f"{i}.jpg", 60, 40, [("cat", -5, 1, 20, 30)]))
    scenes.append((f"{i}.jpg", 60, 40, [("cat", 1, 1, 20, 30)]))
    convert(ConvertOptions(csv(tmp_path, scenes), tmp_path / "out/new"))
    data = (tmp_path / "out/new.issues.html").read_bytes()
    assert len(cards(data)) == gallery.EXAMPLES
    assert len(data) < 150_000
    assert html.fromstring(data).find(".//table//code").text == "box-outside"


def test_what_cannot_be_previewed(tmp_path: Path, source: Path) -> None:
    assert "expected .png or .html" in fault("preview", source, "--out", tmp_path / "x.pdf")
    assert "no record files found" in fault("preview", tmp_path / "none", "--out", tmp_path / "x.png")


def test_thumbnails_of_a_large_page_lie_beside_it(tmp_path: Path, source: Path) -> None:
    out, files = tmp_path / "seen.html", tmp_path / "seen_files"
    convert(ConvertOptions(source, tmp_path / "out/new"))
    chosen = preview.of_records([str(tmp_path / "out/new")], 9)
    large = Chosen(tuple(chosen.images) * 70, 211, chosen.classes)
    files.mkdir()
    (files / "notes.txt").touch()
    assert preview.write(large, "t", out) == (210, 350)
    made = {path.name: path.read_bytes() for path in files.iterdir()}
    assert len(made) == 4  # the same bytes are one file
    assert {card["src"] for card in cards(out.read_bytes())} == {
        f"seen_files/{name}" for name in made if name != "notes.txt"
    }
    assert b"210 of 211 images, 350 boxes" in out.read_bytes()
    before = out.read_bytes()
    preview.write(large, "t", out)
    assert (out.read_bytes(), {path.name: path.read_bytes() for path in files.iterdir()}) == (before, made)
    preview.write(chosen, "t", out)
    assert [path.name for path in files.iterdir()] == ["notes.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images",
        "instances.json",
        "out",
        "seen.html",
        "seen_files",
    ]


def test_a_page_that_fails_leaves_the_one_before(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out/seen.html"
    out.parent.mkdir()
    chosen = preview.of_source(ConvertOptions(source, tmp_path), 3)
    large = Chosen(tuple(chosen.images) * 70, 210, chosen.classes)
    preview.write(large, "t", out)
    before = {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()}

    def fails() -> previews.Preview:
        raise InputError("x", "is gone")

    with pytest.raises(InputError, match="is gone"):
        preview.write(Chosen([*large.images, fails], 211), "other", out)
    assert {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()} == before
    (tmp_path / "taken_files").touch()
    with pytest.raises(InputError, match="taken_files: is no folder"):
        preview.write(large, "t", tmp_path / "taken.html")


def test_an_original_is_named_where_it_is_the_very_image(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "pages here/seen.html"
    out.parent.mkdir()
    chosen = preview.of_source(ConvertOptions(source, tmp_path), 3)
    preview.write(Chosen(tuple(chosen.images) * 70, 210), "t", out)
    assert [card["original"] for card in cards(out.read_bytes())[:2]] == [
        "../images/b.jpg",
        "../images/a.png",
    ]
    assert (out.parent / cards(out.read_bytes())[0]["original"]).exists()


def test_what_is_enlarged_of_records_lies_beside_a_large_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few bytes as they are; of many, and of masks, a smaller image; nothing of what is small anyway."""
    scenes = [("wide.jpg", 1500, 900, [("cat", 1, 1, 20, 30)]), ("small.png", 60, 40, [("cat", 1, 1, 9, 9)])]
    for name, width, height, _ in scenes:
        save_picture(tmp_path / "images" / name, width, height)
    convert(ConvertOptions(csv(tmp_path, scenes), tmp_path / "out/new"))
    out = tmp_path / "seen.html"
    shown = preview.of_records([str(tmp_path / "out/new")], 9)

    def larger(images: Sequence[previews.Waiting]) -> dict[str, Path]:
        preview.write(Chosen(tuple(images) * 201, 402, shown.classes), "t", out)
        named = cards(out.read_bytes())
        assert all(max(card["thumb"]) <= 320 for card in named)
        return {card["name"]: tmp_path / card["original"] for card in named if "original" in card}

    copied = larger(shown.images)
    assert copied["wide.jpg"].read_bytes() == (tmp_path / "images/wide.jpg").read_bytes()
    assert list(copied) == ["wide.jpg"]
    wide = next(
        made for made in (waiting() for waiting in shown.images) if made.image and made.image.width > 60
    )
    record = replace(wide.record, masks=(b"[[1, 2, 310, 2, 310, 220]]",))
    drawn = larger([lambda: replace(wide, record=record)])["wide.jpg"]
    assert Image.open(BytesIO(drawn.read_bytes())).size == (1280, 768)
    monkeypatch.setattr("tfrec_tools.drawing.cards.MOST_COPIED_BYTES", 100)
    assert Image.open(BytesIO(larger(shown.images)["wide.jpg"].read_bytes())).size == (1280, 768)


def test_what_a_record_says_besides_its_boxes(tmp_path: Path) -> None:
    record = image_record(
        image_id="1",
        filename="a.jpg",
        source="x",
        width=60,
        height=40,
        boxes_xyxy=[(1, 2, 31, 22), (0, 0, 60, 39), (2, 2, 9, 9)],
        names=("cat", "dog", "cat"),
        crowd=[False, True, False],
        weights=(1.0, 0.5, 0.0),
        keypoints=np.array([[[5, 6, 2]], [[0, 0, 0]], [[3, 3, 0]]], float),
        masks=(b"[[1, 2, 31, 2, 31, 22]]", b"", b""),
        labeled=frozenset({"cat"}),
        split="val",
    )
    save_picture(tmp_path / "a.jpg")
    shown = Chosen([lambda: previews.show(record, ByteRange(tmp_path / "a.jpg"))], 1, ("cat", "dog"))
    data = page_of(shown)
    (card,) = cards(data)
    assert [box[6:] for box in card["boxes"]] == [
        ["", 1, [[5, 6]]],
        [" (crowd) \u00d70.5", 0.5],
        [" \u00d70", 0],
    ]
    assert (card["labeled"], card["split"], data_of(data)["splits"]) == (["cat"], "val", ["val"])
    plain = previews.thumbnail(previews.Preview(record, shown.images[0]().image), 60, {})
    masked = previews.thumbnail(shown.images[0](), 60, {"cat": "#00ff00"})
    assert plain is not None
    assert masked is not None
    assert np.asarray(masked)[10, 28, 1] > np.asarray(masked)[10, 28, 0] + 50
    assert sheet.sheet(shown)[1] == 3


def test_the_chart_counts_each_box_once() -> None:
    sides = [4, 8, 20, 300, 3000]
    boxes = [(0, 0, side, side) for side in sides]
    record = image_record(image_id="1", filename="a", source="x", names=("cat",) * 5, boxes_xyxy=boxes)
    made = [{"thumb": [10, 10], "size": [10, 10], "boxes": [[0, 0, *box] for box in boxes]}]
    assert [(bar.name, bar.count) for bar in gallery._size_bars(made) if bar.count] == [
        ("below 8", 1),
        ("8 to 16", 1),
        ("16 to 32", 1),
        ("256 to 512", 1),
        ("from 1024", 1),
    ]
    assert len(record.names) == len(sides)


def test_a_sheet_has_a_limit_which_is_said(tmp_path: Path, source: Path) -> None:
    out = tfrec("preview", source, "--out", tmp_path / "x.png", "--most-on-sheet", "2")[0]
    assert "x.png: 2 of 3 images, 3 boxes; a sheet has 2 at most: --most-on-sheet 48" in out
    chosen, _ = preview.preview(PreviewOptions(source, out=tmp_path / "x.png", count=2, most_on_sheet=2))
    assert len(chosen.images) == 2
