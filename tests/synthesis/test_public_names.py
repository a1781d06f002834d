from __future__ import annotations

import subprocess
import sys

import pytest

import synthesis


def test_every_public_name_can_be_used_and_others_are_refused():
    assert all(getattr(synthesis, name).__name__ == name for name in synthesis.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = synthesis.nothing


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, synthesis; print([m for m in ('torch', 'cv2', 'mediapipe', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
