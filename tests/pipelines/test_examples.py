"""The examples of docs/pipelines.md, as they stand there, in the tools that they are for.

Tools that are not installed (`bin/setup pipelines`) are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from tests.helpers.places import DOCS, ROOT, SAMPLE

_BIN = Path(sys.executable).parent
_ACTION = ROOT / ".github/actions/validate/action.yml"
_NO_MORE: Mapping[str, str] = MappingProxyType({})
_BROKEN = SAMPLE / "broken/box-outside.json"


def examples() -> dict[str, str]:
    """{file name: what stands in it}."""
    text = (DOCS / "pipelines.md").read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- (\S+) -->\n```\w*\n(.*?)```\n", text, re.DOTALL))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder as the examples have it."""
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(SAMPLE / "old/annotations.coco.json", folder / "annotations.json")
    shutil.copytree(SAMPLE / "old/images", folder / "photos")
    return folder


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(examples()[name], encoding="utf-8")


def run(*words: object, cwd: Path, code: int = 0, variables: Mapping[str, str] = _NO_MORE) -> str:
    """What a tool prints to stdout and stderr; it finds the `tfrec` of this tree."""
    path = os.pathsep.join((str(_BIN), os.environ["PATH"]))
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | dict(variables)
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def needs(tool: str) -> None:
    if not (_BIN / tool).exists() and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


def tree(folder: Path) -> Mapping[str, tuple[int, bytes]]:
    """Times of change and bytes, by path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_make(work: Path) -> None:
    needs("make")
    write(work, "Makefile")
    run("make", "records", cwd=work)
    before = tree(work / "records")
    assert "set.manifest.json" in before
    run("make", "records", cwd=work)
    assert tree(work / "records") == before
    (work / "Makefile").write_text(examples()["Makefile"].replace("train=0.8,val=0.2", "train=0.5,val=0.5"))
    run("make", "records", cwd=work)
    assert tree(work / "records") != before


@pytest.mark.slow
def test_dvc(work: Path) -> None:
    needs("dvc")
    write(work, "dvc.yaml", "convert.toml", ".dvcignore")
    run("git", "init", "--quiet", cwd=work)
    quiet = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(work.parent / "site")}
    run("dvc", "init", "--quiet", cwd=work, variables=quiet)
    assert "Running stage 'records'" in run("dvc", "repro", cwd=work, variables=quiet)
    before = tree(work / "records")
    again = run("dvc", "repro", cwd=work, variables=quiet)
    assert "didn't change, skipping" in again
    assert "up to date" in again
    assert tree(work / "records") == before
    (work / "convert.toml").write_text('split = "train=0.5,val=0.5"\n')
    assert "Running stage 'records'" in run("dvc", "repro", cwd=work, variables=quiet)
    assert "Data and pipelines are up to date." in run("dvc", "status", cwd=work, variables=quiet)


@pytest.mark.slow
def test_airflow(work: Path) -> None:
    needs("airflow")
    (work / "dags").mkdir()
    program = examples()["dag.py"] + "\nif __name__ == '__main__':\n    records.test()\n"
    (work / "dags/records.py").write_text(program)
    airflow = {
        "AIRFLOW_HOME": str(work / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(work / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    run("airflow", "db", "migrate", cwd=work, variables=airflow)
    first = run(sys.executable, "dags/records.py", cwd=work, variables=airflow)
    assert "100 images, " in first
    assert "state=success" in first
    before = tree(work / "records")
    assert "state=success" in run(sys.executable, "dags/records.py", cwd=work, variables=airflow)
    assert tree(work / "records") == before
    damage(next((work / "records").glob("*.tfrecord")))
    assert "state=failed" in run(sys.executable, "dags/records.py", cwd=work, variables=airflow)


def damage(shard: Path) -> None:
    """Changes a byte, which shows in no size and no time, so that nothing is made anew."""
    data, times = bytearray(shard.read_bytes()), shard.stat()
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))


def check_step(work: Path, **inputs: str) -> tuple[str, dict[str, str]]:
    """The script of the action that checks, and its environment."""
    action = yaml.safe_load(_ACTION.read_text(encoding="utf-8"))
    chosen = {name: item.get("default", "") for name, item in action["inputs"].items()} | inputs
    step = action["runs"]["steps"][-1]
    values = {
        key: chosen[re.sub(r"\$\{\{ inputs\.(\w+) \}\}", r"\1", text)] for key, text in step["env"].items()
    }
    return step["run"], values | {"GITHUB_STEP_SUMMARY": str(work / "summary.md")}


@pytest.mark.parametrize(
    ("sources", "code", "shown"),
    [
        ("annotations.json", 0, "apple"),
        (str(_BROKEN), 1, "box-outside"),
        (f"annotations.json\n{_BROKEN}", 1, "box-outside"),
    ],
)
def test_the_github_action(work: Path, sources: str, code: int, shown: str) -> None:
    script, variables = check_step(work, sources=sources)
    out = run("bash", "-eo", "pipefail", "-c", script, cwd=work, code=code, variables=variables)
    summary = (work / "summary.md").read_text(encoding="utf-8")
    assert out.strip() in summary
    assert shown in summary


def test_the_action_and_its_workflow_are_what_github_takes(work: Path) -> None:
    needs("check-jsonschema")
    run("check-jsonschema", "--builtin-schema", "vendor.github-actions", _ACTION, cwd=work)
    workflow = work / "annotations.yml"
    workflow.write_text(examples()[".github/workflows/annotations.yml"], encoding="utf-8")
    run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow, cwd=work)


@pytest.mark.slow
def test_pre_commit(work: Path) -> None:
    """From a clone of this repository, as users have it: it is installed, which needs a package index."""
    needs("pre-commit")
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository")
    run("pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml", cwd=work)
    head = run("git", "rev-parse", "HEAD", cwd=ROOT).strip()
    config = examples()[".pre-commit-config.yaml"].replace("TFREC", str(ROOT)).replace("v0.2.0", head)
    (work / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    run("git", "init", "--quiet", cwd=work)
    run("git", "add", ".", cwd=work)
    variables = {
        "PRE_COMMIT_HOME": str(work.parent / "hooks"),
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PYTHONPATH": "",
    }
    assert "Passed" in run("pre-commit", "run", "--all-files", cwd=work, variables=variables)
    document = json.loads((work / "annotations.json").read_text(encoding="utf-8"))
    document["annotations"][0]["bbox"][2] = 0
    (work / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    run("git", "add", ".", cwd=work)
    failed = run("pre-commit", "run", cwd=work, code=1, variables=variables)
    assert "box-empty" in failed


def test_the_dockerfile() -> None:
    needs("hadolint")
    assert run("hadolint", ROOT / "Dockerfile", cwd=ROOT) == ""
