from __future__ import annotations

import pytest

from dataset.errors import SynthesisError
from synthesis.config import PRESETS, SynthesisConfig, changed, described, preset


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_comes_back_from_json(name):
    assert SynthesisConfig.from_dict(preset(name).to_dict()) == preset(name)


def test_settings_are_typed_as_their_fields():
    config = changed(
        preset("compact"),
        ["schedule.temporal=false", "loss.lambda_gan=0.5", "schedule.snapshots=100,200", "schedule.minutes=none",
         "network.base=people", "paper.global_steps=3"],
    )  # fmt: skip
    assert config.schedule.temporal is False
    assert config.loss.lambda_gan == 0.5
    assert config.schedule.snapshots == (100, 200)
    assert config.schedule.minutes is None
    assert config.network.base == "people"
    assert config.paper.global_steps == 3


def test_a_misspelt_setting_is_told_the_right_one():
    with pytest.raises(SynthesisError, match=r"did you mean schedule\.temporal"):
        changed(preset("compact"), ["schedule.tempral=false"])


@pytest.mark.parametrize("setting", ["schedule.steps=many", "schedule.temporal=maybe"])
def test_a_value_of_another_kind_is_refused(setting):
    with pytest.raises(SynthesisError, match=r"schedule\.\w+ is a"):
        changed(preset("compact"), [setting])


def test_a_setting_that_makes_no_sense_is_refused_as_everywhere():
    with pytest.raises(SynthesisError, match="multiple of 32"):
        changed(preset("compact"), ["data.height=100"])


def test_an_unknown_preset_is_told_those_there_are():
    with pytest.raises(SynthesisError, match="compact, paper"):
        preset("huge")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_setting_is_explained_and_can_be_typed_back(name):
    config = preset(name)
    listed = described(config)
    assert all(meaning for _, _, meaning in listed)
    assert changed(config, [f"{key}={value}" for key, value, _ in listed]) == config
