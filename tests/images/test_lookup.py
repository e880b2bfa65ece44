"""Images found by the names that annotations give them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfrec_tools.annotations.records import ByteRange, ImageRecord, image_record
from tfrec_tools.errors import InputError
from tfrec_tools.images import lookup


def wanted(*names: str, stem: str = "") -> list[ImageRecord]:
    return [
        image_record(image_id=name, filename=name, source=f"x.json images[{i}]", stem=stem)
        for i, name in enumerate(names)
    ]


def locate(folder: Path, *names: str, stem: str = "") -> tuple[list[str], list[tuple[str, str, str]]]:
    """The paths found below the folder, "" where there is none; and the issues."""
    places, issues = lookup.places(wanted(*names, stem=stem), folder)
    paths = [place.path.relative_to(folder).as_posix() if place else "" for place in places]
    return paths, [(issue.code, issue.source, issue.message) for issue in issues]


def test_found_as_named_else_by_base_name_in_any_case(tmp_path: Path) -> None:
    for name in ("a.jpg", "sub/B.JPG", "train/1.jpg", "val/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names, issues = locate(
        tmp_path, "a.jpg", "b.jpg", "VAL/1.JPG", "C:\\pictures\\A.jpg", "/home/me/sub/b.jpg", "sub\\B.JPG"
    )
    assert names == ["a.jpg", "sub/B.JPG", "val/1.jpg", "a.jpg", "sub/B.JPG", "sub/B.JPG"]
    assert issues == []
    assert locate(tmp_path, "/home/me/b.jpg", "/data/x/train/1.jpg") == (["sub/B.JPG", "train/1.jpg"], [])


@pytest.mark.parametrize(
    ("found", "stated", "kept"),
    [
        ("cam1/1.jpg", ("cam1/1.jpg", "cam2/1.jpg"), "cam1/1.jpg"),
        ("cam1/1.jpg", ("CAM1/1.jpg", "cam2\\1.jpg", "1.jpg"), "CAM1/1.jpg 1.jpg"),
        ("cam1/1.jpg", ("/x/cam1/1", "/y/cam1/1"), ""),
        ("1.jpg", ("/content/train/1.jpg", "/content/test/1.jpg"), ""),
        ("1.jpg", ("train/1.jpg", "test/1.jpg", "1.jpg"), "1.jpg"),
        (
            "1.jpg",
            ("C:\\me\\train\\1.jpg", "train/1.jpg", "./1.JPG"),
            "C:\\me\\train\\1.jpg train/1.jpg ./1.JPG",
        ),
    ],
)
def test_names_that_contradict_each_other_are_not_of_one_file(
    tmp_path: Path, found: str, stated: tuple[str, ...], kept: str
) -> None:
    (tmp_path / found).parent.mkdir(exist_ok=True)
    (tmp_path / found).touch()
    names, issues = locate(tmp_path, *stated)
    assert [name for name, path in zip(stated, names, strict=True) if path] == kept.split()
    lost = [message for code, _, message in issues if code == "image-ambiguous"]
    assert len(lost) == len(stated) - len(kept.split())
    assert all(f" would be {found}, and so would " in message for message in lost)


@pytest.mark.parametrize(
    ("stated", "found", "is_odd"),
    [
        ("cam2/a.jpg", "cam1/a.jpg", True),
        ("cam2\\a.jpg", "x/cam1/a.jpg", True),
        ("x/cam2/a", "x/cam1/a.jpg", True),
        ("CAM1/a.jpg", "cam1/a.jpg", False),
        ("photos/a.jpg", "a.jpg", False),
        ("a.jpg", "cam1/a.jpg", False),
        ("b/cam1/a.jpg", "c/cam1/a.jpg", False),
        ("/home/me/cam2/a.jpg", "cam1/a.jpg", False),
        ("D:\\cam2\\a.jpg", "cam1/a.jpg", False),
    ],
)
def test_an_image_in_a_folder_of_another_name_than_is_stated_is_reported(
    tmp_path: Path, stated: str, found: str, is_odd: bool
) -> None:
    (tmp_path / found).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / found).touch()
    names, issues = locate(tmp_path, stated)
    assert names == [found]
    expected = f"its file name {stated!r} is nowhere; {found} was taken"
    assert issues == ([("filename-mismatch", "x.json images[0]", expected)] if is_odd else [])


def test_missing_and_ambiguous_images_are_issues(tmp_path: Path) -> None:
    for name in ("train/1.jpg", "val/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    names, issues = locate(tmp_path, "train/1.jpg", "no.jpg", "1.jpg", "", "x" * 5000, "nul\0")
    assert names == ["train/1.jpg", "", "", "", "", ""]
    assert [code for code, _, _ in issues] == ["image-missing", "image-ambiguous", *["image-missing"] * 3]
    assert issues[0][1] == "x.json images[1]"
    assert "'no.jpg' is nowhere in" in issues[0][2]
    assert issues[2][2] == "names no file of its image, expected its path"
    assert "'1.jpg' could be any of 2 files" in issues[1][2]
    assert issues[1][2].endswith(": train/1.jpg, val/1.jpg")
    with pytest.raises(InputError, match="is no folder"):
        locate(tmp_path / "none", "1.jpg")


def test_what_is_no_file_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/gone.jpg").touch()
    (tmp_path / "there.jpg").symlink_to("sub/gone.jpg")
    names, issues = locate(tmp_path, "gone.jpg", "loop.jpg", "pipe.jpg", "folder.jpg", "there.jpg", "pipe")
    assert names == ["sub/gone.jpg", "", "pipe.jpg", "", "there.jpg", "pipe.jpg"]  # a pipe is image-damaged
    assert [code for code, _, _ in issues] == ["image-missing"] * 2


def test_names_without_suffix_or_with_another(tmp_path: Path) -> None:
    for name in ("a.jpg", "0001.v2.png", "b.PNG"):
        (tmp_path / name).touch()
    assert locate(tmp_path, "a", "0001.v2") == (["a.jpg", "0001.v2.png"], [])
    names, issues = locate(tmp_path, "b.jpg", "c")
    assert names == ["b.PNG", ""]
    assert [code for code, _, _ in issues] == ["filename-mismatch", "image-missing"]


def test_the_picture_with_the_annotations_own_name_wins(tmp_path: Path) -> None:
    for name in ("raccoon-1.jpg", "raccoon-2.jpg"):
        (tmp_path / name).touch()
    names, issues = locate(tmp_path, "raccoon-2.jpg", stem="raccoon-1")
    assert (names, issues[0][0]) == (["raccoon-1.jpg"], "filename-mismatch")
    assert issues[0][2] == "its file name 'raccoon-2.jpg' is another image; raccoon-1.jpg was taken"
    names, issues = locate(tmp_path, "gone.png", stem="raccoon-1")
    assert (names, issues[0][2][:35]) == (["raccoon-1.jpg"], "its file name 'gone.png' is nowhere")
    assert locate(tmp_path, "raccoon-2.jpg", stem="annotation of 2") == (["raccoon-2.jpg"], [])
    assert locate(tmp_path, "raccoon-2", stem="raccoon-2") == (["raccoon-2.jpg"], [])


def test_litter_is_no_image_and_accents_are_one_letter(tmp_path: Path) -> None:
    for name in (
        "sub/a.jpg",
        "sub/._a.jpg",
        "__MACOSX/sub/a.jpg",
        ".ipynb_checkpoints/a.jpg",
        "sub/cafe\u0301.jpg",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert locate(tmp_path, "a.jpg", "caf\u00e9.jpg") == (["sub/a.jpg", "sub/cafe\u0301.jpg"], [])


@pytest.mark.parametrize(
    "filename", ["../secret/a.jpg", "x/../../secret/a.jpg", "..\\secret\\a.jpg", "/../secret/a.jpg"]
)
def test_a_name_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path, filename: str) -> None:
    inside, outside = tmp_path / "given/deep/a.jpg", tmp_path / "secret/a.jpg"
    outside.parent.mkdir()
    outside.touch()
    (tmp_path / "given").mkdir()
    (record,) = wanted(filename)
    places, issues = lookup.places([record], tmp_path / "given")
    assert places == [None]
    assert [issue.code for issue in issues] == ["path-outside", "image-missing"]
    inside.parent.mkdir()
    inside.touch()
    places, issues = lookup.places([record], tmp_path / "given")
    assert places == [ByteRange(inside)]
    assert [issue.code for issue in issues] == ["path-outside", "filename-mismatch"]


def test_of_a_name_that_leads_out_the_folders_still_count(tmp_path: Path) -> None:
    for name in ("images/train/1.jpg", "images/val/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    names, issues = locate(tmp_path / "images", "../images/val/1.jpg", "../../x/y/1.jpg")
    assert names == ["val/1.jpg", ""]
    assert [code for code, _, _ in issues] == ["path-outside", "path-outside", "image-ambiguous"]


def test_an_image_whose_name_is_escaped_for_an_address(tmp_path: Path) -> None:
    for name in ("a b.jpg", "c%20d.jpg", "c d.jpg"):
        (tmp_path / name).touch()
    names, issues = locate(tmp_path, "x/a%20b.jpg", "c%20d.jpg", "%2e%2e%2fa%20b.jpg", "%2F")
    assert names == ["a b.jpg", "c%20d.jpg", "", ""]
    assert [code for code, _, _ in issues] == ["filename-mismatch", "image-missing", "image-missing"]


def test_an_image_as_it_was_called_before_it_was_uploaded(tmp_path: Path) -> None:
    for name in ("a.jpg", "0123abcd-b.jpg", "b.jpg", "notes-c.jpg", "c.jpg"):
        (tmp_path / name).touch()
    names, issues = locate(
        tmp_path, "8a6d0f12-a.jpg", "0123abcd-b.jpg", "other-c.jpg", "8a6d0f12-", "8a6d0f12-."
    )
    assert names == ["a.jpg", "0123abcd-b.jpg", "", "", ""]
    assert issues[0] == (
        "filename-mismatch",
        "x.json images[0]",
        "its file name '8a6d0f12-a.jpg' is nowhere; a.jpg was taken",
    )
    assert [code for code, _, _ in issues[1:]] == ["image-missing"] * 3
