"""Pages in a real browser: nothing fails in them, they filter, fit a phone, and obey keys."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.browser import Browser, browser
from tests.helpers.places import SAMPLE
from tests.helpers.small_sets import csv, save_picture
from tfrec_tools.conversion.convert import convert, report, validate
from tfrec_tools.conversion.options import ConvertOptions, ValidateOptions
from tfrec_tools.conversion.preview_options import PreviewOptions
from tfrec_tools.drawing.previews import Chosen
from tfrec_tools.preview import of_records, preview, write
from tfrec_tools.set_comparison.sets import compare_sets, write_page

HOSTILE = "</script><img src=x onerror=alert(1)>"
NAMES = (
    "\u82f9\u679c",
    "\u062a\u0641\u0627\u062d",
    HOSTILE,
    "a name that is much longer than an image of a card is wide",
)
PHONE_PX = 360


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser") / "profile") as started:
        yield started


def coco_of(folder: Path, images: int) -> Path:
    """COCO of so many images, which are some of the sample's: three boxes each, every other image with one
    that leans over the edge."""
    originals = sorted((SAMPLE / "new/images").iterdir())
    (folder / "images").mkdir(parents=True)
    for i in range(images):
        os.link(originals[i % len(originals)], folder / f"images/{i:05d}.jpg")
    boxes: list[dict[str, Any]] = []
    for i in range(images):
        for k, side in enumerate((20, 40, 90)):
            wide = side + (100 if k == 2 and i % 2 else 0)
            where = {"id": len(boxes), "image_id": i, "category_id": (i + k) % 4 + 1}
            boxes.append(where | {"bbox": [5 + 30 * k, 4 + 25 * k, wide, side]})
    path = folder / "instances.json"
    sizes = {"width": 160, "height": 160}
    document = {
        "images": [{"id": i, "file_name": f"{i:05d}.jpg"} | sizes for i in range(images)],
        "annotations": boxes,
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, start=1)],
    }
    path.write_text(json.dumps(document))
    return path


def set_to(page: Browser, field: str, value: str) -> str:
    """Sets a filter as its user would; what is said of the images then."""
    said: str = page.run(
        f"(() => {{ const field = document.getElementById('{field}'); field.value = {json.dumps(value)};"
        "field.dispatchEvent(new Event('input')); return document.getElementById('shown').value })()"
    )
    return said


def require_sound(page: Browser, path: Path, images: int) -> None:
    """Opens a page bright and dark, wide and narrow: it never scrolls sideways, and nothing fails."""
    inks = []
    for width, dark in ((1200, False), (1200, True), (PHONE_PX, False)):
        page.open(path, width, dark)
        assert page.run("document.documentElement.scrollWidth") == width
        assert page.run("document.querySelectorAll('figure').length") == images
        inks.append(page.run("getComputedStyle(document.body).backgroundColor"))
    assert inks[0] == inks[2] != inks[1]
    assert page.run("[...document.querySelectorAll('.label text')].every(label => label.textContent)")
    assert page.faults == []


def test_a_small_page(tmp_path: Path, opened: Browser) -> None:
    out = tmp_path / "page.html"
    preview(PreviewOptions(coco_of(tmp_path, 12), out=out))
    require_sound(opened, out, 12)
    opened.open(out)
    assert opened.run("document.getElementById('shown').value") == "12 images"
    assert set_to(opened, "issue", "box-outside") == "6 of 12 images"
    assert set_to(opened, "text", "0001") == "2 of 12 images"
    assert opened.run("new URLSearchParams(location.hash.slice(1)).get('issue')") == "box-outside"
    opened.press("Escape")
    assert opened.run("document.getElementById('shown').value") == "12 images"
    assert set_to(opened, "class", HOSTILE) == "9 of 12 images"
    assert set_to(opened, "size", "0") == "3 of 12 images"
    assert opened.run("document.querySelectorAll('figure g.label.dim').length") == 6
    assert set_to(opened, "text", "nothing") == "0 of 12 images"
    assert opened.run("!document.getElementById('none').hidden")
    assert opened.run("document.querySelectorAll('img[onerror]').length") == 0
    opened.open(out, fragment="#text=00003")
    assert opened.run("document.getElementById('shown').value") == "1 of 12 images"
    assert opened.faults == []


def test_labels_lie_within_their_images(tmp_path: Path, opened: Browser) -> None:
    preview(PreviewOptions(coco_of(tmp_path, 4), out=tmp_path / "page.html"))
    opened.open(tmp_path / "page.html")
    inside = """[...document.querySelectorAll('.frame svg')].every(svg => {
        const image = svg.getBoundingClientRect();
        return [...svg.querySelectorAll('.label')].every(label => {
            const box = label.getBoundingClientRect();
            return box.left > image.left - 1 && box.right < image.right + 1 && box.top > image.top - 1
                && box.width > 10;
        });
    })"""
    assert opened.run(inside)


def test_keys(tmp_path: Path, opened: Browser) -> None:
    preview(PreviewOptions(coco_of(tmp_path, 3), out=tmp_path / "page.html"))
    opened.open(tmp_path / "page.html")
    opened.press("/")
    assert opened.run("document.activeElement.id") == "text"
    opened.press("Escape")
    assert opened.run("document.activeElement.tagName") == "BODY"
    opened.run("document.querySelector('figure button').click()")
    names = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        opened.press(key)
        names.append(opened.run("document.querySelector('#caption b').textContent"))
    assert names == ["00001.jpg", "00002.jpg", "00002.jpg", "00001.jpg"]
    assert opened.run("document.getElementById('zoom').open")
    opened.press("Escape")
    assert not opened.run("document.getElementById('zoom').open")
    assert opened.faults == []


def test_enlarged_images_of_records_have_their_real_size(tmp_path: Path, opened: Browser) -> None:
    scenes = [(f"{i}.jpg", 900, 600, [("cat", 5, 5, 400, 300)]) for i in range(2)]
    for name, width, height, _ in scenes:
        save_picture(tmp_path / "images" / name, width, height)
    convert(ConvertOptions(csv(tmp_path, scenes), tmp_path / "sets/a"))
    chosen = of_records([str(tmp_path / "sets/a")], 2)
    write(Chosen(tuple(chosen.images) * 101, 202, chosen.classes), "many", tmp_path / "page.html")
    seen = (
        "(({naturalWidth, clientWidth}) => [naturalWidth, clientWidth])(document.querySelector('#large img'))"
    )
    name = "document.querySelector('#caption b').textContent"
    for width in (PHONE_PX, 1200):
        opened.open(tmp_path / "page.html", width)
        opened.run("document.querySelector('figure button').click()")
        opened.run("document.querySelector('#large img').decode()")
        natural, shown = opened.run(seen)
        assert natural == 900
        assert shown < width
        opened.press("z")
        assert opened.run(seen) == [900, 900]
        assert opened.run("document.getElementById('zoom').getBoundingClientRect().width") <= width
        opened.run("document.querySelector('#large img').click()")
        assert opened.run(seen) == [900, shown]
        names = [opened.run(name)]
        opened.press("ArrowRight")
        opened.run("document.getElementById('real').click()")
        names.append(opened.run(name))
        opened.press("ArrowLeft")  # moves the image
        assert opened.run(name) == names[1] != names[0]
        opened.press("Escape")
        assert not opened.run("document.getElementById('zoom').open")
    assert opened.faults == []


def test_a_page_of_issues(tmp_path: Path, opened: Browser) -> None:
    convert(ConvertOptions(coco_of(tmp_path, 6), tmp_path / "out/set"))
    require_sound(opened, tmp_path / "out/set.issues.html", 3)
    assert opened.run("document.querySelector('table code').textContent") == "box-outside"


@pytest.mark.slow
def test_pages_of_5000_images(tmp_path: Path, opened: Browser) -> None:
    source = coco_of(tmp_path, 5000)
    out = tmp_path / "page.html"
    preview(PreviewOptions(source, out=out, count=5000))
    assert out.stat().st_size < 10e6
    require_sound(opened, out, 200)
    opened.open(out)
    assert opened.run("document.getElementById('page').textContent") == "1 to 200 of 5,000"
    opened.press("ArrowRight")
    assert opened.run("document.querySelector('figcaption b').textContent") == "00200.jpg"
    assert set_to(opened, "issue", "box-outside") == "2,500 of 5,000 images"
    assert set_to(opened, "class", NAMES[0]) == "1,250 of 5,000 images"
    assert set_to(opened, "text", "04999") == "1 of 5,000 images"
    opened.run("document.querySelector('figure img').decode()")
    assert opened.faults == []
    issues = tmp_path / "issues.html"
    issues.write_bytes(report(validate(ValidateOptions(source)), issues))
    require_sound(opened, issues, 12)


def changed(source: Path) -> Path:
    """COCO of the same images: of the boxes each seventh is moved, each eleventh of another class, each
    thirteenth gone."""
    document = json.loads(source.read_text())
    for i, box in enumerate(document["annotations"]):
        box["bbox"][0] += 9 * (i % 7 == 0)
        box["category_id"] = box["category_id"] % 4 + 1 if i % 11 == 0 else box["category_id"]
    document["annotations"] = [box for i, box in enumerate(document["annotations"]) if i % 13]
    path = source.with_name("changed.json")
    path.write_text(json.dumps(document))
    return path


def require_filtered(page: Browser, path: Path, shown: dict[str, int], images: int) -> None:
    """The page is sound, its pages are of 200, its filter of kinds leaves so many images, thumbnails are
    there, and an image is enlarged and left by keys."""
    assert path.stat().st_size < 10e6
    require_sound(page, path, 200)
    page.open(path)
    assert page.run("document.getElementById('page').textContent") == f"1 to 200 of {images:,}"
    for kind, count in shown.items():
        assert set_to(page, "kind", kind) == f"{count:,} of {images:,} images"
    page.run("document.querySelector('figure img').decode()")
    page.run("document.querySelector('figure button').click()")
    page.run("document.querySelector('#large img').decode()")
    page.press("ArrowRight")
    assert page.run("document.getElementById('zoom').open")
    page.press("Escape")
    page.press("Escape")
    assert page.run("document.getElementById('shown').value") == f"{images:,} images"
    page.press("ArrowRight")
    assert page.run("document.getElementById('page').textContent") == f"201 to 400 of {images:,}"
    assert page.faults == []


@pytest.mark.slow
def test_two_sets_of_5000_images(tmp_path: Path, opened: Browser) -> None:
    source = coco_of(tmp_path, 5000)
    for name, path in (("a", source), ("b", changed(source))):
        convert(ConvertOptions(path, tmp_path / f"sets/{name}", images=tmp_path / "images"))
    result = compare_sets(str(tmp_path / "sets/a"), str(tmp_path / "sets/b"))
    out = tmp_path / "compare.html"
    assert write_page(out, result, 5000) == 5000
    kinds = [{change.kind for change in of_image} for of_image in result.changes]
    shown = {kind: sum(kind in of_image for of_image in kinds) for kind in ("removed", "added", "changed")}
    assert all(shown.values())
    require_filtered(opened, out, shown, 5000)


@pytest.mark.slow
def test_the_report_of_a_run_and_two_models_on_5000_images(tmp_path: Path, opened: Browser) -> None:
    from tests.helpers.big_run import compared_on, write_report

    convert(ConvertOptions(coco_of(tmp_path, 5000), tmp_path / "set"))
    result = compared_on(tmp_path / "set", NAMES)
    report_page = write_report(tmp_path / "run", result)
    opened.open(report_page, PHONE_PX, dark=True)
    assert opened.run("document.documentElement.scrollWidth") == PHONE_PX
    opened.run("[...document.querySelectorAll('th button')].find(b => b.textContent === 'boxes').click()")
    assert opened.run("document.querySelector('tbody tr').cells[0].textContent") == "class 199"
    address = opened.run("document.querySelector('main a').getAttribute('href')")
    assert opened.faults == []
    kinds = [{fate.kind for fate in of_image} for of_image in result.fates]
    shown = {kind: sum(kind in of_image for of_image in kinds) for kind in ("lost", "won", "new false alarm")}
    assert all(shown.values())
    require_filtered(opened, report_page.with_name(address), shown, 5000)
