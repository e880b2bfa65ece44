"""Sheets and pages: pictures that open, boxes where they belong, texts that cannot break the page."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import html
from PIL import Image

from tests.helpers.command import fault, tfrec
from tests.helpers.small_sets import coco, csv, save_picture, save_pictures
from tfrec_tools import preview
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.dataset.options import ClassOptions
from tfrec_tools.drawing import page, sheet
from tfrec_tools.errors import LabelConflict


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


def figures(data: bytes) -> list[Any]:
    return html.fromstring(data).findall(".//figure")


def test_a_sheet_and_a_page_from_records_and_from_a_source(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/new", split="train=0.5,val=0.5"))
    for what in (tmp_path / "out/new", tmp_path / "out/new-train*", source):
        for suffix in ("png", "html"):
            out, _ = tfrec("preview", what, "--out", tmp_path / f"seen.{suffix}")
            assert re.search(r"seen.\w+: [123] images, \d boxes", out)
        assert figures((tmp_path / "seen.html").read_bytes())
        with Image.open(tmp_path / "seen.png") as image:
            assert image.format == "PNG"


def test_the_first_of_records_and_all_over_a_source(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/new"))
    assert len(preview.of_records([str(tmp_path / "out/new")], 2)) == 2
    assert [one.record.filename for one in preview.of_source(ConvertOptions(source, tmp_path), 2)] == [
        "b.jpg",
        "a.png",
    ]


def test_classes_are_chosen_and_renamed(tmp_path: Path, source: Path) -> None:
    convert(ConvertOptions(source, tmp_path / "out/new"))
    words: dict[str, Any] = {"ignore": "dog", "rename": "cat=tom"}
    for shown in (
        preview.of_records([str(tmp_path / "out/new")], 9, ClassOptions(**words)),
        preview.of_source(ValidateOptions(source, **words).as_conversion, 9),
    ):
        assert sorted(item.record.names for item in shown) == [(), ("tom",), ("tom",)]
    flags = ("--out", tmp_path / "seen.html", "--ignore", "dog", "--rename", "cat=tom")
    assert "seen.html: 3 images, 2 boxes" in tfrec("preview", source, *flags)[0]
    with pytest.raises(LabelConflict, match="--only names 'cow', which is no class of the sources"):
        preview.of_records([str(tmp_path / "out/new")], 9, ClassOptions(only="cow"))


def test_boxes_stand_where_they_belong(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg", 400, 200)
    one = csv(tmp_path, [("a.jpg", 400, 200, [("cat", 100, 50, 200, 150), ("dog", -50, 0, 10, 300)])])
    (shown,) = preview.of_source(ConvertOptions(one, tmp_path), 1)
    (figure,) = figures(page.render("t", "l", (), [shown]))
    scale = int(figure.find(".//img").get("width")) / 400
    rects = figure.findall(".//rect")
    found = [float(rects[0].get(key)) for key in ("x", "y", "width", "height")]
    np.testing.assert_allclose(found, [100 * scale, 50 * scale, 100 * scale, 100 * scale], atol=0.1)
    assert [rect.get("class") for rect in rects] == [None, "bad"]
    assert figure.get("data-issues") == '["box-outside"]'
    assert figure.get("data-classes") == '["cat", "dog"]'


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    name = "'\"></figure></script><script>alert('x')</script>{{cards}}{{ cards }}{% raw %}<!--"
    one = csv(tmp_path, [("a.jpg", 60, 40, [(name, 1, 1, 90, 9)])])
    data = page.render("<b>", "&", (), preview.of_source(ConvertOptions(one, tmp_path), 1))
    document = html.fromstring(data)
    assert len(document.findall(".//script")) == 1
    assert document.find(".//h1").text == "<b>"
    assert document.find(".//svg//text").text == name
    assert len(figures(data)) == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "I;16", "1", "LA"])
def test_pictures_of_every_mode(tmp_path: Path, mode: str) -> None:
    save_picture(tmp_path / "images/a.png", mode=mode)
    one = csv(tmp_path, [("a.png", 60, 40, [("cat", 1, 1, 9, 9)])])
    shown = preview.of_source(ConvertOptions(one, tmp_path), 1)
    image = Image.open(BytesIO(sheet.sheet(shown)))
    values = np.asarray(image.convert("L"))
    assert values.std() > 20
    assert len(figures(page.render("t", "l", (), shown))) == 1


def test_boxes_that_are_not_finite_are_left_out_and_damaged_pictures_said(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.jpg")
    (tmp_path / "images/b.jpg").write_bytes(b"\xff\xd8\xff")
    boxes = [("cat", 1, 1, float("inf"), 9), ("cat", float("nan"), 1, 9, 9)]
    one = csv(tmp_path, [("a.jpg", 60, 40, boxes), ("b.jpg", 60, 40, boxes)])
    shown = preview.of_source(ConvertOptions(one, tmp_path), 2)
    assert sheet.sheet(shown)
    data = page.render("t", "l", (), shown)
    assert not html.fromstring(data).findall(".//rect")
    assert b"cannot be shown" in data


def test_images_of_more_pixels_than_pillow_opens_are_shown(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1100)  # a text is a small image, too
    shown = preview.of_source(ConvertOptions(source, tmp_path), 2)
    assert sheet.sheet(shown)
    assert b"cannot be" not in page.render("t", "l", (), shown)


def test_a_page_of_issues_shows_the_first_pictures_of_each(tmp_path: Path) -> None:
    scenes = []
    for i in range(page.EXAMPLES + 5):
        save_picture(tmp_path / f"images/{i}.jpg")
        scenes.append((f"{i}.jpg", 60, 40, [("cat", -5, 1, 20, 30)]))
    scenes.append((f"{i}.jpg", 60, 40, [("cat", 1, 1, 20, 30)]))
    convert(ConvertOptions(csv(tmp_path, scenes), tmp_path / "out/new"))
    data = (tmp_path / "out/new.issues.html").read_bytes()
    assert len(figures(data)) == page.EXAMPLES
    assert len(data) < 150_000
    assert html.fromstring(data).find(".//table//code").text == "box-outside"


def test_what_cannot_be_previewed(tmp_path: Path, source: Path) -> None:
    assert "expected .png or .html" in fault("preview", source, "--out", tmp_path / "x.pdf")
    assert "no record files found" in fault("preview", tmp_path / "none", "--out", tmp_path / "x.png")
