"""The project as a whole: what is installed, how fast it starts, and that its files agree with each other."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import click
import pytest

from dataset.provenance import VERSION

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SCRIPTS: dict[str, str] = PROJECT["project"]["scripts"]
PACKAGES = ("forensics", "synthesis", "dataset", "cli", "cards")
HEAVY = {"av", "cv2", "datasets", "lpips", "matplotlib", "mediapipe", "scipy", "sklearn", "timm", "torch"}


def test_exactly_one_distribution_owns_cv2() -> None:
    """Two of them would overwrite each other's files, and which one is imported would be left to chance."""
    import cv2

    owners = set(metadata.packages_distributions()["cv2"])
    assert owners == {"opencv-contrib-python"}
    distribution = metadata.distribution(owners.pop())
    assert distribution.version.startswith(f"{cv2.__version__}.")
    files = {Path(str(distribution.locate_file(file))).resolve() for file in distribution.files or ()}
    assert Path(cv2.__file__).resolve() in files


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_command_is_a_click_command_with_a_version(script: str) -> None:
    module, _, name = SCRIPTS[script].partition(":")
    command = getattr(importlib.import_module(module), name)
    assert isinstance(command, click.Group)
    assert any(
        isinstance(parameter, click.Option) and "--version" in parameter.opts for parameter in command.params
    )


def cpu_seconds(code: str, *arguments: str) -> float:
    """Processor time of a fresh interpreter: unlike the time on the clock, it does not mind a busy machine."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers_within_half_a_second(script: str) -> None:
    module, _, name = SCRIPTS[script].partition(":")
    assert min(cpu_seconds(f"from {module} import {name}; {name}()", "--help") for _ in range(3)) < 0.5


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "cli").glob("*.py")))
def test_commands_import_nothing_heavy_before_they_run(module: str) -> None:
    name = "cli" if module == "__init__" else f"cli.{module}"
    code = f"import sys, {name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_the_files_agree_on_the_version() -> None:
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "dataset.provenance.VERSION"}
    assert re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M) == [VERSION]


def test_everything_in_a_package_is_shipped() -> None:
    """A model or text that no pattern of the package data matches would be missing from an installation."""
    patterns = [pattern.removeprefix("**/") for pattern in PROJECT["tool"]["setuptools"]["package-data"]["*"]]
    forgotten = [
        file
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file()
        and file.suffix not in (".py", ".pyc")
        and not any(fnmatch(file.name, pattern) for pattern in patterns)
    ]
    assert forgotten == []


def test_bundled_weights_are_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    bundled = [*(ROOT / "dataset").rglob("*.task"), *(ROOT / "synthesis").rglob("*.safetensors")]
    assert bundled
    assert [path for path in bundled if path.relative_to(ROOT).as_posix() not in notice] == []


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in ROOT.glob("*.md")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8"))
        if not (ROOT / target).exists()
    ]
    assert broken == []


def test_no_layer_imports_what_is_above_it() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without what an outer make (`make test`) hands down to the makes below it.
    env = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "VIDEO")
    }
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile and a Python that only pretends: it notes the pip runs that it is asked for."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    executable(tmp_path / "pip python", '[ ! -e cut ] && echo "$@" >> pip.log')
    executable(
        tmp_path / "bin" / "python",
        'case "$1 $2" in "-m venv") mkdir -p "$3/bin"; cp "pip python" "$3/bin/python";; esac',
    )
    return tmp_path


@pytest.mark.parametrize("name", ["my video.mp4", "it's $5 & more.mp4", "-odd.mp4", "ends with \\"])
def test_make_scan_hands_on_any_file_name(project: Path, name: str) -> None:
    executable(project / "bin" / "fakedetect", 'printf "<%s>" "$@"')
    done = make(project, "--silent", "--old-file", ".venv/runtime.stamp", "scan", "BIN=bin", f"VIDEO={name}")
    assert done.stdout == f"<scan><--><{name}>"


def test_make_scan_alone_takes_the_recording_and_its_fake(project: Path) -> None:
    executable(project / "bin" / "fakedetect", 'printf "<%s>" "$@"')
    done = make(project, "--silent", "--old-file", ".venv/runtime.stamp", "scan", "BIN=bin")
    samples = [ROOT / path for path in re.findall(r"<(forensics/[^>]+)>", done.stdout)]
    assert [path.stem for path in samples] == ["mannequin_real", "mannequin_fake"]
    assert all(path.is_file() for path in samples)


def test_the_environment_is_built_once(project: Path) -> None:
    first = make(project, ".venv/runtime.stamp", "PYTHON=bin/python")
    assert (first.returncode, first.stderr) == (0, "")
    assert "building the environment" in first.stdout
    second = make(project, ".venv/runtime.stamp", "PYTHON=bin/python")
    assert "up to date" in second.stdout
    assert len((project / "pip.log").read_text().splitlines()) == 1


def test_a_build_that_was_cut_off_starts_over(project: Path) -> None:
    (project / "cut").touch()
    assert make(project, ".venv/runtime.stamp", "PYTHON=bin/python").returncode != 0
    assert not (project / ".venv" / "runtime.stamp").exists()
    (project / ".venv" / "half a package").touch()
    (project / "cut").unlink()
    assert make(project, ".venv/runtime.stamp", "PYTHON=bin/python").returncode == 0
    assert not (project / ".venv" / "half a package").exists()


def test_an_unsuitable_python_is_told_in_one_line(project: Path) -> None:
    executable(project / "bin" / "old", "exit 1")
    done = make(project, "scan", "PYTHON=bin/old")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith("danceproof needs Python 3.11 or newer")
    assert not (project / ".venv").exists()
