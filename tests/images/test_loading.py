"""Images passed on as they are, or transcoded so that TensorFlow decodes them."""

from __future__ import annotations

import math
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.small_sets import save_picture
from tfrec_tools.annotations.issues import Issue
from tfrec_tools.annotations.records import ByteRange
from tfrec_tools.errors import InputError
from tfrec_tools.images import loading
from tfrec_tools.images.loading import Canvas, EncodedImage, ImageOptions


def load(path: Path, annotated_wh: tuple[int, int], **rules: Any) -> tuple[EncodedImage, tuple[Issue, ...]]:
    """The picture, which must be there, and the issues."""
    loaded = loading.load(ByteRange(path), Canvas("s", annotated_wh), ImageOptions(**rules))
    return there(loaded), loaded.issues


def there(loaded: loading.Loaded) -> EncodedImage:
    assert loaded.image is not None
    return loaded.image


def refused(path: Path, annotated_wh: tuple[int, int], **rules: Any) -> Issue:
    """The one issue of a picture that is not taken."""
    loaded = loading.load(ByteRange(path), Canvas("s", annotated_wh), ImageOptions(**rules))
    assert loaded.image is None
    (issue,) = loaded.issues
    return issue


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    return block


JPEGS: list[tuple[str, dict[str, Any]]] = [
    ("RGB", {}),
    ("L", {}),
    ("RGB", {"progressive": True}),
    ("RGB", {"comment": b"\xff\xd9" * 9}),
]
PNGS = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]
CASES = [("a.jpg", *case) for case in JPEGS] + [("a.png", mode, {}) for mode in PNGS]


@pytest.mark.parametrize(("name", "mode", "options"), CASES)
def test_what_tensorflow_decodes_passes_byte_for_byte(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any]
) -> None:
    tf = pytest.importorskip("tensorflow")
    path = save_picture(tmp_path / name, 61, 43, mode, **options)
    picture, issues = load(path, (61, 43))
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
def test_the_rest_is_transcoded_and_reported(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any] | dict[str, bool], stored: str
) -> None:
    tf = pytest.importorskip("tensorflow")
    path = save_picture(tmp_path / name, 61, 43, mode, **options)
    picture, (issue,) = load(path, (61, 43))
    assert (picture.format, picture.width, picture.height) == (stored, 61, 43)
    assert (issue.code, issue.fixed) == ("image-transcoded", True)
    assert tf.io.decode_image(picture.data, channels=3).shape == (43, 61, 3)
    again, _ = load(path, (61, 43))
    assert again.data == picture.data


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_turns_the_pixels_only_where_the_annotation_asks(tmp_path: Path, name: str) -> None:
    path = save_picture(tmp_path / name, 60, 40, exif=exif(6))
    for annotated_wh in ((60, 40), (0, 0)):
        picture, (issue,) = load(path, annotated_wh)
        assert (issue.code, issue.fixed, picture.width) == ("exif-kept", False, 60)
        assert picture.data == path.read_bytes()
    picture, (issue,) = load(path, (40, 60))
    assert (issue.code, issue.fixed, picture.width, picture.height) == ("exif-turned", True, 40, 60)
    with Image.open(BytesIO(picture.data)) as turned, Image.open(path) as stored:
        assert turned.getexif().get(0x0112, 1) == 1
        upright = stored.transpose(Image.Transpose.ROTATE_270).convert("L")
        np.testing.assert_allclose(np.asarray(turned.convert("L"), int), np.asarray(upright, int), atol=12)


@pytest.mark.parametrize(
    ("orientation", "canvas", "exif_option", "is_turned"),
    [
        (6, Canvas("s"), "auto", False),
        (6, Canvas("s", reach_xy=(40.0, 60.0)), "auto", True),
        (8, Canvas("s", reach_xy=(9.0, 41.0)), "auto", True),
        (6, Canvas("s", reach_xy=(40.0, 40.0)), "auto", False),  # fits both
        (6, Canvas("s", reach_xy=(41.0, 41.0)), "auto", False),  # fits neither
        (6, Canvas("s", reach_xy=(math.nan, math.nan)), "auto", False),
        (3, Canvas("s", reach_xy=(61.0, 9.0)), "auto", False),
        (6, Canvas("s", (60, 40), upright=True), "auto", False),  # by an earlier version of the tool
        (6, Canvas("s", (120, 80), upright=True), "auto", True),
        (6, Canvas("s", upright=True), "auto", True),
        (6, Canvas("s", reach_xy=(60.0, 9.0), upright=True), "auto", False),
        (2, Canvas("s", (60, 40), upright=True), "auto", True),
        (1, Canvas("s", upright=True), "turn", False),
        (2, Canvas("s"), "turn", True),
        (6, Canvas("s"), "turn", True),
        (6, Canvas("s", (40, 60), upright=True), "keep", False),
    ],
)
def test_whether_an_image_is_turned(
    tmp_path: Path, orientation: int, canvas: Canvas, exif_option: str, is_turned: bool
) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40, exif=exif(orientation))
    loaded = loading.load(ByteRange(path), canvas, ImageOptions(exif=exif_option))
    assert loaded.image is not None
    assert loaded.image.width == (40 if is_turned and orientation >= 5 else 60)
    codes = [issue.code for issue in loaded.issues if issue.code.startswith("exif")]
    assert codes == ([] if orientation == 1 else ["exif-turned" if is_turned else "exif-kept"])
    assert (loaded.image.data != path.read_bytes()) == is_turned


def test_an_upright_image_is_not_turned_and_a_mirrored_one_is_said_to_be_kept(tmp_path: Path) -> None:
    upright = save_picture(tmp_path / "1.jpg", exif=exif(1))
    assert load(upright, (60, 40))[1] == ()
    mirrored = save_picture(tmp_path / "2.jpg", exif=exif(2))
    assert [issue.code for issue in load(mirrored, (60, 40))[1]] == ["exif-kept"]


def test_another_size_is_an_issue(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    _, (issue,) = load(path, (120, 80))
    assert (issue.code, issue.fixed) == ("size-mismatch", False)
    assert "annotated as 120 x 80, but a.jpg is 60 x 40; the same shape: was it resized" in issue.message
    _, (issue,) = load(path, (61, 80))
    assert "resized" not in issue.message


def test_files_that_are_no_images_are_issues(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for data, reason in ((b"", "is no image"), (b"hello", "is no image"), (b"GIF89a\x01", "image")):
        path.write_bytes(data)
        issue = refused(path, (0, 0))
        assert (issue.code, issue.fixed) == ("image-damaged", False)
        assert reason in issue.message
    with pytest.raises(InputError, match=r"b.jpg: cannot be read \(No such file"):
        load(tmp_path / "b.jpg", (0, 0))


def test_an_empty_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert refused(tmp_path / "a.jpg", (0, 0)).message == "a.jpg: is no image; it is empty"


def test_pillows_own_ceiling_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # over it Pillow warns, over twice it refuses
    large = save_picture(tmp_path / "a.png")
    monkeypatch.setattr(warnings, "filters", [("error", None, Warning, None, 0)])
    image, issues = load(large, (60, 40), verify="decode")
    assert issues == ()
    assert loading.decoded(image, 20).size == (60, 40)
    assert load(large, (60, 40), max_side=30)[0].width == 30


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_picture_cut_off_is_found_by_its_end_marker(tmp_path: Path, name: str) -> None:
    path = save_picture(tmp_path / name, exif=exif(1), comment=b"\xff\xd9")
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    issue = refused(path, (60, 40))
    assert issue.code == "image-damaged"
    assert "has no end marker" in issue.message.replace("have", "has")
    assert load(path, (60, 40), verify="off")[0].data == whole[:-30]
    path.write_bytes(whole + b"appended by a camera" * 100)
    assert load(path, (60, 40))[1] == ()


def test_decoding_finds_what_the_ends_do_not_show(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", mode="RGB")
    data = bytearray(path.read_bytes())
    middle = data.index(b"IDAT") + 20
    data[middle : middle + 8] = bytes(8)
    path.write_bytes(data)
    assert load(path, (60, 40))[1] == ()
    assert refused(path, (60, 40), verify="decode").code == "image-damaged"
    with pytest.raises(ValueError, match="verify"):
        ImageOptions(verify="deep")


def test_another_suffix_and_more_frames_are_reported(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    picture, (issue,) = load(path, (60, 40))
    assert (picture.format, issue.code) == ("png", "image-suffix")
    assert issue.message == "a.jpg is named .jpg, but its bytes are PNG"
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    for name in ("b.gif", "b.tif", "b.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        picture, (issue,) = load(tmp_path / name, (9, 9))
        assert "of whose 3 frames the first is taken" in issue.message


def test_mpo_passes_and_tensorflow_takes_its_first_picture(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / "a.jpg"
    pair = [Image.linear_gradient("L").resize((w, 40)).convert("RGB") for w in (60, 30)]
    pair[0].save(path, "MPO", save_all=True, append_images=pair[1:])
    picture, issues = load(path, (60, 40))
    assert (picture.data, picture.width, issues) == (path.read_bytes(), 60, ())
    assert tf.io.decode_image(picture.data, channels=3).shape == (40, 60, 3)


def test_many_bits_a_sample(tmp_path: Path) -> None:
    Image.new("I;16", (9, 7), 40000).save(tmp_path / "a.tif")
    picture, _ = load(tmp_path / "a.tif", (9, 7))
    with Image.open(BytesIO(picture.data)) as stored:
        assert (stored.format, stored.mode, stored.getpixel((3, 3))) == ("PNG", "I;16", 40000)
    Image.new("F", (9, 7), 0.25).save(tmp_path / "f.tif")
    issue = refused(tmp_path / "f.tif", (9, 7))
    assert issue.code == "image-damaged"
    assert "32 bits" in issue.message


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_max_side_shrinks_in_proportion(tmp_path: Path, mode: str) -> None:
    path = save_picture(tmp_path / "a.png", 120, 40, mode)
    loaded = loading.load(ByteRange(path), Canvas("s", (120, 40)), ImageOptions(max_side=60))
    picture = there(loaded)
    assert (picture.width, picture.height, loaded.scale_xy) == (60, 20, (0.5, 0.5))
    with Image.open(BytesIO(picture.data)) as stored:
        assert (stored.size, stored.format) == ((60, 20), "PNG")
    assert load(path, (120, 40), max_side=120)[0].data == path.read_bytes()
    thin = save_picture(tmp_path / "b.jpg", 300, 1)
    assert load(thin, (0, 0), max_side=30)[0].height == 1


def test_jpeg_quality(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.webp", 300, 200)
    coarse, fine = (load(path, (300, 200), jpeg_quality=quality)[0] for quality in (20, 95))
    assert len(coarse.data) < len(fine.data)


def test_rescale_only_to_the_same_shape(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    loaded = loading.load(ByteRange(path), Canvas("s", (120, 80)), ImageOptions(rescale=True))
    assert loaded.scale_xy == (0.5, 0.5)
    assert [(issue.code, issue.fixed) for issue in loaded.issues] == [("size-mismatch", True)]
    loaded = loading.load(ByteRange(path), Canvas("s", (120, 80)), ImageOptions(rescale=True, max_side=30))
    assert loaded.scale_xy == (0.25, 0.25)
    loaded = loading.load(ByteRange(path), Canvas("s", (120, 120)), ImageOptions(rescale=True))
    assert loaded.scale_xy == (1.0, 1.0)
    assert [(issue.code, issue.fixed) for issue in loaded.issues] == [("size-mismatch", False)]


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize(
    ("stated_wh", "scale_xy"), [((60, 40), (1, 1)), ((120, 80), (0.5, 0.5)), ((30, 80), (2, 0.5))]
)
def test_boxes_of_any_size_are_scaled_to_the_image_of_any_shape(
    tmp_path: Path, stated_wh: tuple[int, int], scale_xy: tuple[float, float], rescale: bool
) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    canvas = Canvas("s", stated_wh, of_any_size=True)
    loaded = loading.load(ByteRange(path), canvas, ImageOptions(rescale=rescale))
    assert loaded.scale_xy == scale_xy
    codes = [(issue.code, issue.fixed) for issue in loaded.issues]
    assert codes == ([] if stated_wh == (60, 40) else [("size-mismatch", True)])


@pytest.mark.parametrize(("stated_wh", "turns"), [((120, 80), False), ((40, 60), True), ((80, 120), True)])
def test_boxes_of_any_size_turn_the_image_where_their_shape_asks(
    tmp_path: Path, stated_wh: tuple[int, int], turns: bool
) -> None:
    path = save_picture(tmp_path / "a.jpg", 60, 40, exif=exif(6))
    loaded = loading.load(ByteRange(path), Canvas("s", stated_wh, of_any_size=True))
    assert loaded.image is not None
    assert (loaded.image.width, loaded.image.height) == ((40, 60) if turns else (60, 40))
    assert loaded.scale_xy == (loaded.image.width / stated_wh[0], loaded.image.height / stated_wh[1])


def test_a_picture_inside_another_file(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg")
    data = path.read_bytes()
    (tmp_path / "many").write_bytes(b"before" + data + b"after")
    place = ByteRange(tmp_path / "many", 6, len(data))
    assert (place.size, ByteRange(path).size) == (len(data), len(data))
    loaded = loading.load(place, Canvas("s", (60, 40)))
    assert (there(loaded).data, loaded.issues) == (data, ())
