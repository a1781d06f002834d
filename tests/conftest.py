"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


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
