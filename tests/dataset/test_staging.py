"""The hidden folder of a run: whose it is, what is removed with it, and who may work in it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import tfrec
from tests.helpers.sets import contents
from tests.helpers.small_sets import coco, save_pictures
from tfrec_tools.conversion import jobs
from tfrec_tools.conversion.convert import convert
from tfrec_tools.conversion.options import ConvertOptions
from tfrec_tools.dataset import shards, staging
from tfrec_tools.dataset.staging import ShardResult
from tfrec_tools.errors import InputError
from tfrec_tools.system.workers import Tick

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, users and locks are otherwise on Windows")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "images")
    return coco(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path, source: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.json").write_text("mine")
    out = tmp_path / "out/x"
    for finished in (False, True):
        if finished:
            staging.folder_of(out).unlink()
            convert(ConvertOptions(source, out))
        else:
            out.parent.mkdir()
        staging.folder_of(out).symlink_to(precious, target_is_directory=True)
        for overwrite in (False, True):
            with pytest.raises(InputError, match=r"\.x\.part: is a link, expected the work folder of a run"):
                convert(ConvertOptions(source, out, overwrite=overwrite))
    staging.discard(staging.folder_of(out))
    assert contents(precious) == {"a.json": b"mine"}
    assert staging.folder_of(out).is_symlink()


def test_a_link_in_the_place_of_a_sidecar_in_the_making(tmp_path: Path, source: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".x.manifest.json.part").symlink_to(tmp_path / "precious")
    convert(ConvertOptions(source, tmp_path / "x"))
    assert (tmp_path / "precious").read_text() == "mine"
    assert not shards.manifest_path(tmp_path / "x").is_symlink()


def test_a_file_in_its_place_and_another_users_folder(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = staging.folder_of(tmp_path / "x")
    folder.touch()
    with pytest.raises(InputError, match=r"is a file, expected the work folder"):
        convert(ConvertOptions(source, tmp_path / "x"))
    folder.unlink()
    folder.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(InputError, match=r"belongs to user \d+, expected 12345, who runs this; remove it"):
        convert(ConvertOptions(source, tmp_path / "x"))


def test_the_folder_is_the_users_alone_and_what_others_put_there_stays(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = staging.folder_of(tmp_path / "x")
    folder.mkdir(mode=0o777)
    (folder / "thesis.txt").write_text("mine")
    modes = list[int]()
    perform = jobs._perform

    def noting(job: jobs.ConversionJob, tick: Tick, where: Path | None) -> ShardResult:
        modes.append(stat.S_IMODE(folder.stat().st_mode))
        return perform(job, tick, where)

    monkeypatch.setattr(jobs, "_perform", noting)
    convert(ConvertOptions(source, tmp_path / "x", workers=1))
    assert modes == [0o700]
    assert contents(folder) == {"thesis.txt": b"mine"}


def test_overwrite_removes_only_files_of_the_sets_names(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out/x"
    convert(ConvertOptions(source, out))
    manifest = shards.manifest_path(out)
    document = json.loads(manifest.read_bytes())
    for name in ("thesis.txt", "y-00000-of-00001.tfrecord"):
        document["shards"].append(document["shards"][0] | {"file": name})
        (out.parent / name).write_text("mine")
    manifest.write_text(json.dumps(document))
    convert(ConvertOptions(source, out, overwrite=True))
    assert (out.parent / "thesis.txt").read_text() == "mine"
    assert (out.parent / "y-00000-of-00001.tfrecord").read_text() == "mine"


HOLDS = """
import sys
from fnmatch import fnmatch
from pathlib import Path
from tfrec_tools.dataset import staging
with staging.claimed(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_second_of_two_runs_on_one_set_gets_one_line(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out/x"
    words = [sys.executable, "-c", HOLDS, str(out)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        _, err = tfrec("convert", source, "--out", out, code=1)
        first_run = (
            rf"process {first.pid} on {os.uname().nodename}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        )
        line = (
            rf"another run \({first_run}\) is writing this set; wait until it ends, or choose another --out"
        )
        assert re.fullmatch(rf"tfrec: error: {out}: {line}\n", err)
        assert staging.folder_of(out).exists()
        first.kill()  # a lock ends with its process
    convert(ConvertOptions(source, out))
    assert not staging.folder_of(out).exists()


def test_two_runs_at_once_give_one_whole_set(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out/x"
    words = [sys.executable, "-m", "tfrec_tools", "convert", source, "--out", out, "--shards", "3"]
    runs = [
        subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        for _ in range(3)
    ]
    ends = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert 0 in [code for *_, code in ends]
    for _, err, code in ends:
        assert code == 0 or re.search(r"another run (\(.*\) )?is writing this set; wait until it ends", err)
        assert err.count("\n") == (1 if code else 0)
    convert(ConvertOptions(source, tmp_path / "alone/x", shards=3))
    assert contents(out.parent) == contents(tmp_path / "alone")


def of_shards(steps: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The last step in which each shard of the hidden folder is synced."""
    ending = f"{'?' * 32}.tfrecord"
    return {name: i for i, (kind, name) in enumerate(steps) if kind == "sync" and fnmatch(name, ending)}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="which file is synced is seen in /proc")
def test_the_disk_is_not_waited_for_where_that_is_asked_for(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = list[tuple[str, str]]()
    monkeypatch.setattr(
        os, "fsync", lambda file: steps.append(("sync", Path(f"/proc/self/fd/{file}").readlink().name))
    )
    convert(ConvertOptions(source, tmp_path / "out/x", shards=3, workers=1, no_fsync=True))
    assert steps == []
    convert(ConvertOptions(source, tmp_path / "out/y", shards=3, workers=1))
    assert len(of_shards(steps)) == 3


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="which file is synced is seen in /proc")
def test_all_is_on_the_disk_before_the_set_is_finished(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is synced before it gets its name; the folder after the old manifest is gone, before the new
    one comes, and after it."""
    out = tmp_path / "out/x"
    convert(ConvertOptions(source, out, shards=2, workers=1))
    steps = list[tuple[str, str]]()

    def noting(kind: str, step: Callable[..., Any], name: Callable[[Any], str]) -> Callable[..., Any]:
        def noted(subject: Any, *rest: Any, **options: Any) -> Any:
            steps.append((kind, name(rest[0] if kind == "move" else subject)))
            return step(subject, *rest, **options)

        return noted

    sync, move, remove = os.fsync, Path.replace, Path.unlink
    synced = noting("sync", sync, lambda file: Path(f"/proc/self/fd/{file}").readlink().name)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", noting("move", move, lambda path: Path(path).name))
    monkeypatch.setattr(Path, "unlink", noting("remove", remove, lambda path: Path(path).name))
    convert(ConvertOptions(source, out, shards=3, workers=1, overwrite=True))
    monkeypatch.undo()
    folder = [i for i, step in enumerate(steps) if step == ("sync", "out")]
    moves = {name: i for i, (kind, name) in enumerate(steps) if kind == "move"}
    finals = [path.name for path in shards.record_files([out])]
    manifest = moves["x.manifest.json"]
    assert steps.index(("remove", "x.manifest.json")) < folder[0] < min(moves[name] for name in finals)
    others = [moves[path.name] for path in out.parent.iterdir() if path != shards.manifest_path(out)]
    assert max(others) < folder[1] < manifest < folder[2]
    assert steps[manifest - 1] == ("sync", ".x.manifest.json.part")
    assert len(of_shards(steps)) == 3
    assert max(of_shards(steps).values()) < steps.index(("remove", "x.manifest.json"))
