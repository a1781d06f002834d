"""The preset's generator, empty: for training, and for stored weights."""

from __future__ import annotations

from synthesis.config import SynthesisConfig
from synthesis.networks.generator import CompactGenerator


def empty_generator(config: SynthesisConfig) -> CompactGenerator:
    """A generator of the run's sizes; frame by frame nothing is kept of the frame before."""
    network = config.network
    return CompactGenerator(
        network.width, network.thin, network.reach, network.copy, carry=config.schedule.temporal
    )
