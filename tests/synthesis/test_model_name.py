"""What a generator is called in a corpus."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from synthesis.config import changed, preset
from synthesis.model import TargetModel


@pytest.mark.parametrize(
    ("name", "settings", "called"),
    [
        ("compact", [], "compact-256-70"),
        ("compact", ["network.copy=false"], "compact_painting-256-70"),
        ("paper", [], "paper-256-70"),
    ],
)
def test_a_generator_is_called_by_its_family_its_size_and_its_steps(
    name: str, settings: list[str], called: str
) -> None:
    model = SimpleNamespace(config=changed(preset(name), settings), shape=(192, 256), steps=70)
    assert TargetModel.name.fget(cast(TargetModel, model)) == called  # type: ignore[attr-defined]
