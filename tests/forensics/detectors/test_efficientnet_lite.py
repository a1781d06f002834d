"""The network that is loaded without timm: timm's own, to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch

from forensics.detectors.efficientnet_lite import LITE0, like_timm

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(128, 128), (97, 131)])
def test_it_gives_what_timm_gives(size: tuple[int, int], training: bool) -> None:
    torch.manual_seed(1)
    theirs = timm.create_model(LITE0, num_classes=0).train(training)
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # timm's begin as the identity
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
    ours = like_timm(theirs).train(training)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    shown = torch.randn(2, 3, *size)
    y = ours.bn1(ours.conv_stem(shown))
    for stage in ours.blocks:
        y = stage(y)
    expected = theirs.forward_features(shown)
    assert expected.std() > 0.01
    assert torch.equal(ours.bn2(ours.conv_head(y)), expected)


def test_the_shipped_detector_judges_without_timm_and_torchvision() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from forensics import Scanner\n"
            "with Scanner() as scanner: print(scanner.scan(sys.argv[1]).verdict)\n"
            "print(sorted({'timm', 'torchvision', 'sympy'} & set(sys.modules)))",
            str(ROOT / "forensics" / "samples" / "mannequin_fake.mp4"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    verdict, loaded = told.stdout.split("\n")[:2]
    assert verdict in ("fake", "real", "inconclusive")
    assert loaded == "[]"
