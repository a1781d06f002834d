from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_runs import small_config

from dataset.errors import ModelError, SynthesisError
from dataset.mannequin import Performer, film
from synthesis.compact.generators import empty_generator
from synthesis.compact.people import train_base
from synthesis.networks.base import load_base
from synthesis.networks.discriminator import MultiScaleDiscriminator


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    films = []
    for seed in (3, 4):
        films.append(folder / f"{seed}.mp4")
        film(films[-1], Performer.from_seed(seed), "wave", seconds=1.2, size=(96, 128))
    config = small_config(6)
    return config, films, train_base(films, folder / "base", config)


def test_a_run_starts_with_the_weights_of_other_people(trained):
    config, _, weights = trained
    generator = empty_generator(config)
    discriminator = MultiScaleDiscriminator(
        12, config.network.ndf, config.network.n_layers, config.network.scales
    )
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    load_base(str(weights), generator, discriminator)
    moved = [key for key, value in generator.state_dict().items() if not torch.equal(value, before[key])]
    assert "enter.weight" in moved
    assert "leave.weight" in moved  # it starts at zero, so it was trained


def test_what_is_kept_of_the_frame_before_starts_anew_where_a_file_says_nothing_of_it(trained, tmp_path):
    config, _, weights = trained
    stored = load_file(weights)
    assert any(key.startswith("generator.stay.") for key in stored)
    older = tmp_path / "older.safetensors"
    save_file({key: value for key, value in stored.items() if ".stay." not in key}, older)
    generator = empty_generator(config)
    fresh = {key: value.clone() for key, value in generator.stay.state_dict().items()}
    load_base(str(older), generator, None)
    assert all(torch.equal(value, fresh[key]) for key, value in generator.stay.state_dict().items())
    load_base(str(weights), generator, None)
    assert not all(torch.equal(value, fresh[key]) for key, value in generator.stay.state_dict().items())
    frame_by_frame = replace(config, schedule=replace(config.schedule, temporal=False))
    load_base(str(weights), empty_generator(frame_by_frame), None)


def test_one_recording_is_not_many_people(trained, tmp_path):
    config, films, _ = trained
    with pytest.raises(SynthesisError, match="at least two recordings"):
        train_base(films[:1], tmp_path / "one", config)


def test_base_weights_of_another_size_are_refused_with_the_way_out(trained):
    config, _, weights = trained
    wider = replace(config, network=replace(config.network, width=16))
    with pytest.raises(ModelError, match=r"network\.base="):
        load_base(str(weights), empty_generator(wider), None)


def test_missing_base_weights_are_refused(trained, tmp_path):
    with pytest.raises(ModelError, match="missing"):
        load_base(str(tmp_path / "none.safetensors"), empty_generator(trained[0]), None)
