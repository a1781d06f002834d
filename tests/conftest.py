"""Fixtures for all tests."""

from __future__ import annotations

import os

# Workers share the machine: with all cores each, threads would wait for one another. Set before anything imports torch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path

import pytest

#: Files that take minutes: begun first, so that no worker is left alone with one at the end.
_LONG = (
    "test_resume_killed.py", "test_distributed.py", "test_resume_refusals.py", "test_evaluate.py",
    "test_end_to_end.py", "test_plate.py",
)  # fmt: skip
_SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in _LONG)


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A config folder of the tests' own, also for the processes they start: certificates are made in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        for name in ("DANCEPROOF_CERTIFICATE", "DANCEPROOF_PRIVATE_KEY", "DANCEPROOF_TRUST_ANCHORS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def shared_clips() -> Path:
    """The folder of real videos beside the checkout; tests on real people skip where it is missing."""
    folder = _SHARED / "clips"
    if not folder.is_dir():
        pytest.skip("the clips folder beside the checkout is missing")
    return folder


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of pretrained weights beside the checkout; tests that need it skip where it is missing."""
    folder = _SHARED / "models"
    if not folder.is_dir():
        pytest.skip("the models folder beside the checkout is missing")
    return folder
