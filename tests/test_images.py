"""Images: found, known by their header, passed on or transcoded so that TensorFlow decodes them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.small_sets import save_picture
from tfrec_tools.annotations.records import Place, image_record
from tfrec_tools.errors import InputError
from tfrec_tools.images import headers, loading, lookup
from tfrec_tools.images.loading import Rules


def load(path, annotated_wh, **rules):
    """The picture, the factors of its scale and the issues."""
    loaded = loading.load(Place(path), annotated_wh, "s", Rules(**rules))
    return loaded.picture, loaded.issues


def wanted(*names, stem=""):
    return [
        image_record(image_id=name, filename=name, source=f"x.json images[{i}]", stem=stem)
        for i, name in enumerate(names)
    ]


def locate(folder, *names, stem=""):
    """The paths found below the folder, "" where there is none; and the issues."""
    places, issues = lookup.places(wanted(*names, stem=stem), folder)
    paths = [place.path.relative_to(folder).as_posix() if place else "" for place in places]
    return paths, [(issue.code, issue.source, issue.message) for issue in issues]


def exif(orientation):
    block = Image.Exif()
    block[0x0112] = orientation
    return block


def test_found_as_named_else_by_base_name_in_any_case(tmp_path):
    for name in ("a.jpg", "sub/B.JPG", "train/1.jpg", "val/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names, issues = locate(
        tmp_path, "a.jpg", "b.jpg", "VAL/1.JPG", "C:\\pictures\\A.jpg", "/home/me/b.jpg", "sub\\B.JPG"
    )
    assert names == ["a.jpg", "sub/B.JPG", "val/1.jpg", "a.jpg", "sub/B.JPG", "sub/B.JPG"]
    assert issues == []


def test_missing_and_ambiguous_images_are_issues(tmp_path):
    for name in ("train/1.jpg", "val/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    names, issues = locate(tmp_path, "train/1.jpg", "no.jpg", "1.jpg", "", "x" * 5000, "nul\0")
    assert names == ["train/1.jpg", "", "", "", "", ""]
    assert [code for code, _, _ in issues] == ["image-missing", "image-ambiguous", *["image-missing"] * 3]
    assert issues[0][1] == "x.json images[1]"
    assert "'no.jpg' is nowhere in" in issues[0][2]
    assert "'1.jpg' could be any of 2 files" in issues[1][2]
    assert issues[1][2].endswith(": train/1.jpg, val/1.jpg")
    with pytest.raises(InputError, match="is no folder"):
        locate(tmp_path / "none", "1.jpg")


def test_names_without_suffix_or_with_another(tmp_path):
    for name in ("a.jpg", "0001.v2.png", "b.PNG"):
        (tmp_path / name).touch()
    assert locate(tmp_path, "a", "0001.v2") == (["a.jpg", "0001.v2.png"], [])
    names, issues = locate(tmp_path, "b.jpg", "c")
    assert names == ["b.PNG", ""]
    assert [code for code, _, _ in issues] == ["filename-mismatch", "image-missing"]


def test_the_picture_with_the_annotations_own_name_wins(tmp_path):
    for name in ("raccoon-1.jpg", "raccoon-2.jpg"):
        (tmp_path / name).touch()
    names, issues = locate(tmp_path, "raccoon-2.jpg", stem="raccoon-1")
    assert (names, issues[0][0]) == (["raccoon-1.jpg"], "filename-mismatch")
    assert issues[0][2] == "its file name 'raccoon-2.jpg' is another picture; raccoon-1.jpg was taken"
    names, issues = locate(tmp_path, "gone.png", stem="raccoon-1")
    assert (names, issues[0][2][:35]) == (["raccoon-1.jpg"], "its file name 'gone.png' is nowhere")
    assert locate(tmp_path, "raccoon-2.jpg", stem="annotation of 2") == (["raccoon-2.jpg"], [])
    assert locate(tmp_path, "raccoon-2", stem="raccoon-2") == (["raccoon-2.jpg"], [])


JPEGS = [("RGB", {}), ("L", {}), ("RGB", {"progressive": True}), ("RGB", {"comment": b"\xff\xd9" * 9})]
PNGS = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]
CASES = [("a.jpg", *case) for case in JPEGS] + [("a.png", mode, {}) for mode in PNGS]


@pytest.mark.parametrize(("name", "mode", "options"), CASES)
def test_what_tensorflow_decodes_passes_byte_for_byte(tmp_path, name, mode, options):
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
def test_the_rest_is_transcoded_and_reported(tmp_path, name, mode, options, stored):
    tf = pytest.importorskip("tensorflow")
    path = save_picture(tmp_path / name, 61, 43, mode, **options)
    picture, (issue,) = load(path, (61, 43))
    assert (picture.format, picture.width, picture.height) == (stored, 61, 43)
    assert (issue.code, issue.fixed) == ("image-transcoded", True)
    assert tf.io.decode_image(picture.data, channels=3).shape == (43, 61, 3)
    again, _ = load(path, (61, 43))
    assert again.data == picture.data


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_exif_turns_the_pixels_only_where_the_annotation_asks(tmp_path, name):
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


def test_an_upright_or_mirrored_orientation_never_turns(tmp_path):
    upright = save_picture(tmp_path / "1.jpg", exif=exif(1))
    assert load(upright, (60, 40))[1] == ()
    mirrored = save_picture(tmp_path / "2.jpg", exif=exif(2))
    assert [issue.code for issue in load(mirrored, (60, 40))[1]] == ["exif-kept"]


def test_another_size_is_an_issue(tmp_path):
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    _, (issue,) = load(path, (120, 80))
    assert (issue.code, issue.fixed) == ("size-mismatch", False)
    assert "annotated as 120 x 80, but a.jpg is 60 x 40; the same shape: was it resized" in issue.message
    _, (issue,) = load(path, (61, 80))
    assert "resized" not in issue.message


def test_files_that_are_no_images_are_issues(tmp_path):
    path = tmp_path / "a.jpg"
    for data, reason in ((b"", "is no image"), (b"hello", "is no image"), (b"GIF89a\x01", "image")):
        path.write_bytes(data)
        picture, (issue,) = load(path, (0, 0))
        assert (picture, issue.code, issue.fixed) == (None, "image-damaged", False)
        assert reason in issue.message
    with pytest.raises(InputError, match=r"b.jpg: cannot be read \(No such file"):
        load(tmp_path / "b.jpg", (0, 0))


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_picture_cut_off_is_found_by_its_end_marker(tmp_path, name):
    path = save_picture(tmp_path / name, exif=exif(1), comment=b"\xff\xd9")
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    picture, (issue,) = load(path, (60, 40))
    assert (picture, issue.code) == (None, "image-damaged")
    assert "has no end marker" in issue.message.replace("have", "has")
    assert load(path, (60, 40), verify="off")[0].data == whole[:-30]
    path.write_bytes(whole + b"appended by a camera" * 100)
    assert load(path, (60, 40))[1] == ()


def test_decoding_finds_what_the_ends_do_not_show(tmp_path):
    path = save_picture(tmp_path / "a.png", mode="RGB")
    data = bytearray(path.read_bytes())
    middle = data.index(b"IDAT") + 20
    data[middle : middle + 8] = bytes(8)
    path.write_bytes(data)
    assert load(path, (60, 40))[1] == ()
    picture, (issue,) = load(path, (60, 40), verify="decode")
    assert (picture, issue.code) == (None, "image-damaged")
    with pytest.raises(ValueError, match="verify"):
        Rules(verify="deep")


def test_another_suffix_and_more_frames_are_reported(tmp_path):
    path = save_picture(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    picture, (issue,) = load(path, (60, 40))
    assert (picture.format, issue.code) == ("png", "image-suffix")
    assert issue.message == "a.jpg is named .jpg, but its bytes are PNG"
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    for name in ("b.gif", "b.tif", "b.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        picture, (issue,) = load(tmp_path / name, (9, 9))
        assert "of whose 3 frames the first is taken" in issue.message


def test_mpo_passes_and_tensorflow_takes_its_first_picture(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / "a.jpg"
    pair = [Image.linear_gradient("L").resize((w, 40)).convert("RGB") for w in (60, 30)]
    pair[0].save(path, "MPO", save_all=True, append_images=pair[1:])
    picture, issues = load(path, (60, 40))
    assert (picture.data, picture.width, issues) == (path.read_bytes(), 60, ())
    assert tf.io.decode_image(picture.data, channels=3).shape == (40, 60, 3)


def test_many_bits_a_sample(tmp_path):
    Image.new("I;16", (9, 7), 40000).save(tmp_path / "a.tif")
    picture, _ = load(tmp_path / "a.tif", (9, 7))
    with Image.open(BytesIO(picture.data)) as stored:
        assert (stored.format, stored.mode, stored.getpixel((3, 3))) == ("PNG", "I;16", 40000)
    Image.new("F", (9, 7), 0.25).save(tmp_path / "f.tif")
    picture, (issue,) = load(tmp_path / "f.tif", (9, 7))
    assert (picture, issue.code) == (None, "image-damaged")
    assert "32 bits" in issue.message


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_max_side_shrinks_in_proportion(tmp_path, mode):
    path = save_picture(tmp_path / "a.png", 120, 40, mode)
    loaded = loading.load(Place(path), (120, 40), "s", Rules(max_side=60))
    assert (loaded.picture.width, loaded.picture.height, loaded.scale_xy) == (60, 20, (0.5, 0.5))
    with Image.open(BytesIO(loaded.picture.data)) as stored:
        assert (stored.size, stored.format) == ((60, 20), "PNG")
    assert loading.load(Place(path), (120, 40), "s", Rules(max_side=120)).picture.data == path.read_bytes()
    thin = save_picture(tmp_path / "b.jpg", 300, 1)
    assert loading.load(Place(thin), (0, 0), "s", Rules(max_side=30)).picture.height == 1


def test_jpeg_quality(tmp_path):
    path = save_picture(tmp_path / "a.webp", 300, 200)
    coarse, fine = (load(path, (300, 200), jpeg_quality=quality)[0] for quality in (20, 95))
    assert len(coarse.data) < len(fine.data)


def test_rescale_only_to_the_same_shape(tmp_path):
    path = save_picture(tmp_path / "a.jpg", 60, 40)
    loaded = loading.load(Place(path), (120, 80), "s", Rules(rescale=True))
    assert loaded.scale_xy == (0.5, 0.5)
    assert [(issue.code, issue.fixed) for issue in loaded.issues] == [("size-mismatch", True)]
    loaded = loading.load(Place(path), (120, 80), "s", Rules(rescale=True, max_side=30))
    assert loaded.scale_xy == (0.25, 0.25)
    loaded = loading.load(Place(path), (120, 120), "s", Rules(rescale=True))
    assert loaded.scale_xy == (1.0, 1.0)
    assert [(issue.code, issue.fixed) for issue in loaded.issues] == [("size-mismatch", False)]


def test_a_picture_inside_another_file(tmp_path):
    path = save_picture(tmp_path / "a.jpg")
    data = path.read_bytes()
    (tmp_path / "many").write_bytes(b"before" + data + b"after")
    place = Place(tmp_path / "many", 6, len(data))
    assert (place.size, Place(path).size) == (len(data), len(data))
    loaded = loading.load(place, (60, 40), "s")
    assert (loaded.picture.data, loaded.issues) == (data, ())


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_header_cut_anywhere_is_an_input_error(tmp_path, name):
    path = save_picture(tmp_path / name)
    data = path.read_bytes()
    length = data.index(b"IHDR") + 12 if name == "a.png" else data.index(b"\xff\xc0") + 8
    for end in range(length):
        with pytest.raises(InputError, match=name):
            headers.read_header(data[:end], path)


def test_headers_agree_with_pillow_on_real_images(shared):
    paths = sorted((shared / "data/raccoon/images").glob("*.jpg"))[:60]
    for path in paths:
        header = headers.read_header(path.read_bytes(), path)
        with Image.open(path) as image:
            assert (header.width, header.height) == image.size
            assert header.orientation == image.getexif().get(0x0112, 1)
            assert not header.obstacle
