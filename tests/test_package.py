"""What is installed: metadata and files of the wheel and the sdist."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.helpers.places import ROOT, SCHEMAS
from tfrec_tools import __version__


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_has_all_that_the_package_opens(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "tfrec_tools"
    expected = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    schemas = (path for path in SCHEMAS.rglob("*") if path.is_file())
    expected |= {f"tfrec_tools/schemas/{path.relative_to(SCHEMAS)}" for path in schemas}
    assert expected <= names
    assert wheel.stat().st_size < 4 << 20


def test_the_description_has_no_link_that_an_index_cannot_follow(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    (metadata,) = (
        zipfile.ZipFile(wheel).read(name)
        for name in zipfile.ZipFile(wheel).namelist()
        if name.endswith("/METADATA")
    )
    message = email.message_from_bytes(metadata)
    assert message["Version"] == __version__
    assert message["Author"]
    text = message.get_payload()
    assert isinstance(text, str)
    assert "tfrec finetune" in text
    assert re.findall(r"\]\((?!https:)[^)]*\)", text) == []


def test_the_sdist_can_be_tested(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ("constraints.txt", "Dockerfile", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "bin/setup")
    assert names.issuperset({*wanted, "tests/test_package.py", "schemas/manifest.schema.json"})
    assert max(member_size(sdist)) < 4 << 20


def member_size(archive: Path) -> list[int]:
    with tarfile.open(archive) as opened:
        return [member.size for member in opened.getmembers()]


def test_versions_are_named_alike() -> None:
    """In what speaks of a release."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [__version__]
    assert f"## {__version__} (" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
