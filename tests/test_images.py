"""Images: found, known by their header, passed on or transcoded so that TensorFlow decodes them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.small_sets import save_picture
from tfrec_tools import images
from tfrec_tools.errors import InputError


def locate(folder, *names):
    return images.locate(folder, [(name, f"x.json images[{i}]") for i, name in enumerate(names)])


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def test_found_as_named_else_by_base_name_in_any_case(tmp_path):
    for name in ("a.jpg", "sub/B.JPG", "train/1.jpg", "val/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = locate(
        tmp_path, "a.jpg", "b.jpg", "VAL/1.JPG", "C:\\pictures\\A.jpg", "/home/me/b.jpg", "sub\\B.JPG"
    )
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a.jpg", "sub/B.JPG", "val/1.jpg", "a.jpg", "sub/B.JPG", "sub/B.JPG"]


def test_missing_and_ambiguous_images_are_named(tmp_path):
    for name in ("train/1.jpg", "val/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(
        InputError, match=r"images\[1\]: image 'no.jpg' \(and 1 more of 3\) is nowhere in .*--images"
    ):
        locate(tmp_path, "train/1.jpg", "no.jpg", "nor.jpg")
    with pytest.raises(InputError, match=r"'1.jpg' could be any of 2 files .*: train/1.jpg, val/1.jpg"):
        locate(tmp_path, "1.jpg")
    with pytest.raises(InputError, match="is no folder"):
        locate(tmp_path / "none", "1.jpg")


JPEGS = [("RGB", {}), ("L", {}), ("RGB", {"progressive": True}), ("RGB", {"comment": b"\xff\xd9" * 9})]
PNGS = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]
CASES = [("a.jpg", *case) for case in JPEGS] + [("a.png", mode, {}) for mode in PNGS]


@pytest.mark.parametrize(("name", "mode", "options"), CASES)
def test_what_tensorflow_decodes_passes_byte_for_byte(tmp_path, name, mode, options):
    tf = pytest.importorskip("tensorflow")
    path = save_picture(tmp_path / name, 61, 43, mode, **options)
    picture, issues = images.load(path, (61, 43), "s")
    assert picture.data == path.read_bytes()
    assert (picture.width, picture.height, issues) == (61, 43, ())
    assert picture.format == {"a.jpg": "jpeg", "a.png": "png"}[name]
    decoded = tf.io.decode_image(picture.data, channels=3).numpy()
    expected = tmp_path / "expected.png"
    save_picture(expected, 61, 43, "1" if mode == "1" else "RGB")
    with Image.open(expected) as image:
        np.testing.assert_allclose(decoded, np.asarray(image.convert("RGB")), atol=16)


@pytest.mark.parametrize(
    ("name", "mode", "options", "stored"),
    [
        ("a.bmp", "RGB", {}, "png"),
        ("a.gif", "P", {}, "png"),
        ("a.tif", "RGB", {}, "png"),
        ("a.webp", "RGB", {}, "jpeg"),
        ("a.webp", "RGB", {"lossless": True}, "png"),
        ("a.jpg", "CMYK", {}, "jpeg"),
        ("a.tif", "CMYK", {}, "png"),
    ],
)
def test_the_rest_is_transcoded_and_reported(tmp_path, name, mode, options, stored):
    tf = pytest.importorskip("tensorflow")
    path = save_picture(tmp_path / name, 61, 43, mode, **options)
    picture, (issue,) = images.load(path, (61, 43), "s")
    assert (picture.format, picture.width, picture.height) == (stored, 61, 43)
    assert (issue.code, issue.fixed) == ("image-transcoded", True)
    assert tf.io.decode_image(picture.data, channels=3).shape == (43, 61, 3)
    again, _ = images.load(path, (61, 43), "s")
    assert again.data == picture.data


def test_the_format_is_that_of_the_bytes(tmp_path):
    path = save_picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert images.load(path, (60, 40), "s")[0].format == "png"


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_turns_the_pixels_only_where_the_annotation_asks(tmp_path, name):
    path = save_picture(tmp_path / name, 60, 40, exif=exif(6))
    for annotated_wh in ((60, 40), (0, 0)):
        picture, (issue,) = images.load(path, annotated_wh, "s")
        assert (issue.code, issue.fixed, picture.width) == ("exif-kept", False, 60)
        assert picture.data == path.read_bytes()
    picture, (issue,) = images.load(path, (40, 60), "s")
    assert (issue.code, issue.fixed, picture.width, picture.height) == ("exif-turned", True, 40, 60)
    with Image.open(BytesIO(picture.data)) as turned, Image.open(path) as stored:
        assert turned.getexif().get(0x0112, 1) == 1
        upright = stored.transpose(Image.Transpose.ROTATE_270).convert("L")
        np.testing.assert_allclose(np.asarray(turned.convert("L"), int), np.asarray(upright, int), atol=12)


def test_an_upright_or_mirrored_orientation_never_turns(tmp_path):
    upright = save_picture(tmp_path / "1.jpg", exif=exif(1))
    assert images.load(upright, (60, 40), "s")[1] == ()
    mirrored = save_picture(tmp_path / "2.jpg", exif=exif(2))
    assert [issue.code for issue in images.load(mirrored, (60, 40), "s")[1]] == ["exif-kept"]


def test_another_size_is_an_issue(tmp_path):
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    _, (issue,) = images.load(path, (120, 80), "s")
    assert (issue.code, issue.fixed) == ("size-mismatch", False)
    assert "annotated as 120 x 80, but a.jpg is 60 x 40; the same shape: was it resized" in issue.message
    _, (issue,) = images.load(path, (61, 80), "s")
    assert "resized" not in issue.message


def test_files_that_are_no_images_are_named(tmp_path):
    path = tmp_path / "a.jpg"
    for data, reason in ((b"", "is no image"), (b"hello", "is no image"), (b"GIF89a\x01", "image")):
        path.write_bytes(data)
        with pytest.raises(InputError, match=f"a.jpg: .*{reason}"):
            images.load(path, (0, 0), "s")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_header_cut_anywhere_is_an_input_error(tmp_path, name):
    path = save_picture(tmp_path / name)
    data = path.read_bytes()
    length = data.index(b"IHDR") + 12 if name == "a.png" else data.index(b"\xff\xc0") + 8
    for end in range(length):
        with pytest.raises(InputError, match=name):
            images.read_header(data[:end], path)


def test_headers_agree_with_pillow_on_real_images(shared):
    paths = sorted((shared / "data/raccoon/images").glob("*.jpg"))[:60]
    for path in paths:
        header = images.read_header(path.read_bytes(), path)
        with Image.open(path) as image:
            assert (header.width, header.height) == image.size
            assert header.orientation == image.getexif().get(0x0112, 1)
            assert not header.obstacle
