"""The zoo: listed by what the code can build, fetched from a server of our own, unpacked with care."""

from __future__ import annotations

import http.server
import io
import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import tiny
from tfrec_tools.detector.config.read import EXTRACTORS
from tfrec_tools.detector.model import zoo
from tfrec_tools.detector.model.detector import load_detector, new_detector, save_detector
from tfrec_tools.errors import InputError, TfrecError
from tfrec_tools.labels.zoo import MODELS, coco_labels, named

SHORT = "ssd_mobilenet_v2_fpnlite_320x320"
NAME = f"{SHORT}_coco17_tpu-8"


def test_the_zoo_has_what_can_be_built() -> None:
    extractors = {name for names in EXTRACTORS.values() for name in names}
    assert {one.extractor for one in zoo.models()} <= extractors
    assert not any(one.more for one in zoo.models())
    assert len(zoo.models()) >= 24


def test_the_whole_zoo_is_known_by_name_and_address() -> None:
    """As TFOD lists it; of ExtremeNet's two archives only the one that is not deprecated."""
    names = [word for one in MODELS for word in {one.short_name, one.name}]
    assert (len(MODELS), len(set(names))) == (42, len(names))
    assert all(named(word) is one for one in MODELS for word in (one.name, one.short_name))
    addresses = {one.short_name: zoo.address_of(one) for one in MODELS}
    tf2 = "https://download.tensorflow.org/models/object_detection/tf2"
    assert addresses[SHORT] == f"{tf2}/20200711/{NAME}.tar.gz"
    hourglass = "centernet_hg104_512x512"
    assert addresses[hourglass] == f"{tf2}/20200713/{hourglass}_coco17_tpu-8.tar.gz"
    assert addresses[f"{hourglass}_kpts"] == f"{tf2}/20200711/{hourglass}_kpts_coco17_tpu-32.tar.gz"
    mobile = "centernet_mobilenetv2fpn_512x512"
    assert addresses[mobile] == f"{tf2}/20210210/{mobile}_coco17_od.tar.gz"


@pytest.mark.parametrize("name", ["centernet_hg104_512x512_kpts", "extremenet"])
def test_a_model_that_is_not_built_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(TfrecError, match=rf"{name}: .* not built here; `tfrec models` lists what opens"):
        zoo.model_folder(name)


def test_cocos_label_map_has_80_classes_up_to_90() -> None:
    labels = coco_labels()
    assert (len(labels), max(labels.name_by_id), labels.gaps) == (
        80, 90, (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
    )  # fmt: skip
    assert (labels.name_by_id[1], labels.name_by_id[90]) == ("person", "toothbrush")


def _archive(path: Path, members: dict[str, bytes | str]) -> None:
    """{name: contents, or where a link leads}"""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes | str]:
    """An archive as the zoo has them: no label map, a SavedModel that is not needed."""
    folder = tmp_path_factory.mktemp("zoo") / NAME
    detector = new_detector(tiny.PIPELINE.read_text(encoding="utf-8"), coco_labels(), seed=1)
    save_detector(detector, folder)
    files = {
        f"{NAME}/{file.relative_to(folder).as_posix()}": file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name != "label_map.pbtxt"
    }
    return {**files, f"{NAME}/saved_model/saved_model.pb": b"x"}


class Server(http.server.ThreadingHTTPServer):
    """A folder on the loopback; `asked` is what was asked for."""

    asked: list[str]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    (tmp_path / "served").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path / "served"))  # type: ignore[arg-type]

        def log_message(self, *_args: object) -> None:
            served.asked.append(self.path)

    with Server(("127.0.0.1", 0), Handler) as served:
        served.asked = []
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        monkeypatch.setenv("TFREC_ZOO", f"http://127.0.0.1:{served.server_port}/")
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        yield served
        served.shutdown()
        thread.join()


def test_a_model_is_fetched_once_and_loaded(
    server: Server, tmp_path: Path, members: dict[str, bytes | str]
) -> None:
    _archive(tmp_path / "served" / f"{NAME}.tar.gz", members)
    for name in (SHORT, NAME):
        folder = zoo.model_folder(name)
        assert folder == tmp_path / "keras" / "tfrec" / NAME
    assert len(server.asked) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint", "label_map.pbtxt", "pipeline.config"
    ]  # fmt: skip
    assert sorted(path.name for path in folder.parent.iterdir()) == [NAME, f"{NAME}.tar.gz"]
    assert len(load_detector(folder).labels) == 80


@pytest.mark.usefixtures("server")
def test_an_archive_writes_nowhere_else(tmp_path: Path, members: dict[str, bytes | str]) -> None:
    hostile = {
        "../evil": b"x",
        f"{NAME}/../../evil": b"x",
        "/evil": b"x",
        f"{NAME}/checkpoint/../../evil": b"x",
        f"{NAME}/checkpoint/..": b"x",
    }
    _archive(tmp_path / "served" / f"{NAME}.tar.gz", {**members, **hostile})
    folder = zoo.model_folder(SHORT)
    assert not list(tmp_path.rglob("evil"))
    assert len(list(folder.rglob("*"))) == 6


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ({f"{NAME}/checkpoint/ckpt-0.index": "/etc/passwd"}, "ckpt-0.index: is no plain file"),
        ({f"{NAME}/pipeline.config": "../../secret"}, "pipeline.config: is no plain file"),
        (None, "has no NAME/pipeline.config"),
    ],
)
@pytest.mark.usefixtures("server")
def test_an_archive_with_links_or_of_something_else_is_refused(
    tmp_path: Path, members: dict[str, bytes | str], damage: dict[str, str] | None, found: str
) -> None:
    content: dict[str, bytes | str] = {"else/readme": b"x"} if damage is None else {**members, **damage}
    _archive(tmp_path / "served" / f"{NAME}.tar.gz", content)
    with pytest.raises(InputError, match=found):
        zoo.model_folder(SHORT)
    assert not (tmp_path / "keras" / "tfrec" / NAME).exists()


@pytest.mark.usefixtures("server")
def test_an_archive_that_is_cut_off_is_one_line(tmp_path: Path, members: dict[str, bytes | str]) -> None:
    path = tmp_path / "served" / f"{NAME}.tar.gz"
    _archive(path, members)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"is damaged .*; delete it and try again"):
        zoo.model_folder(SHORT)


def test_without_the_server_it_says_what_to_do_by_hand(server: Server, tmp_path: Path) -> None:
    with pytest.raises(TfrecError) as caught:
        zoo.model_folder(SHORT)
    archive = tmp_path / "keras" / "tfrec" / f"{NAME}.tar.gz"
    assert str(caught.value).startswith(f"http://127.0.0.1:{server.server_port}/{NAME}.tar.gz cannot be")
    assert f"download it by hand and put it at {archive}" in str(caught.value)
    assert list(archive.parent.iterdir()) == []


def test_a_folder_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / SHORT).mkdir()
    assert zoo.model_folder(SHORT) == Path(SHORT)
    assert zoo.model_folder("nowhere") == Path("nowhere")


def test_the_command_lists_what_there_is() -> None:
    command = [sys.executable, "-m", "tfrec_tools", "models"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert SHORT in done.stdout
    assert "ssd_mobilenet_v2_fpn_keras" in done.stdout
    listed = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)
    opens = {one["short_name"]: one["opens"] for one in listed["zoo"]}
    assert (len(opens), opens[SHORT], opens["extremenet"]) == (42, True, False)


@pytest.mark.parametrize(
    "place", ["http://example.org/zoo", "ftp://example.org", "file:///zoo", "example.org"]
)
def test_addresses_that_others_could_change_are_refused(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("TFREC_ZOO", place)
    with pytest.raises(TfrecError, match="expected an address that begins with https://"):
        zoo.address()


@pytest.mark.parametrize(
    ("name", "limits", "said"),
    [
        (
            "pipeline.config",
            {"_MOST_BYTES": {"pipeline.config": 9, "checkpoint": 99}},
            "has 10 bytes, expected 9",
        ),
        (
            "checkpoint/a",
            {"_MOST_BYTES": {"pipeline.config": 99, "checkpoint": 9}},
            "has 10 bytes, expected 9",
        ),
        ("other", {"_MOST_BYTES_IN_ALL": 9}, "holds over 9 bytes"),
        ("other", {"_MOST_FILES": 0}, "or 0 files"),
    ],
)
def test_archives_are_not_unpacked_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limits: dict[str, Any], said: str
) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo(f"model/{name}")
        member.size = 10
        tar.addfile(member, io.BytesIO(b"0123456789"))
    for limit, value in limits.items():
        monkeypatch.setattr(zoo, limit, value)
    with pytest.raises(InputError, match=said):
        zoo._unpack(archive, tmp_path / "model")
    assert not (tmp_path / "model").exists()
