"""Comparing many videos at once gives what comparing them pair by pair gives."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dataset.collection import fingerprint as copies
from dataset.release.alike import alike
from dataset.release.fingerprint import ALIKE, SIDE, Fingerprint, likeness


def looks_of(random: np.random.Generator, length: int) -> npt.NDArray[np.float32]:
    """Looks that move smoothly; every fifth one is still."""
    path = np.cumsum(random.normal(size=(length, SIDE * SIDE)), axis=0).astype(np.float32)
    path[random.random(length) < 0.2] = 0
    size = np.linalg.norm(path, axis=1, keepdims=True)
    return np.divide(path, size, out=np.zeros_like(path), where=size > 0)


def films(number: int) -> list[Fingerprint]:
    """Films of 1 to 96 looks, of which every third one repeats a part of an earlier one, more or less."""
    random = np.random.default_rng(number)
    found: list[Fingerprint] = []
    for place in range(number):
        looks = looks_of(random, int(random.integers(1, 97)))
        if place % 3 == 2:
            source = found[int(random.integers(place))].looks
            start = int(random.integers(0, max(1, len(source) // 3)))
            noise = random.normal(0, random.uniform(0, 0.06), source[start:].shape)
            looks = (source[start:] + noise * (source[start:] != 0)).astype(np.float32)
            size = np.linalg.norm(looks, axis=1, keepdims=True)
            looks = np.divide(looks, size, out=np.zeros_like(looks), where=size > 0)
        found.append(Fingerprint.from_hex(Fingerprint(looks).to_hex()))
    return found


@pytest.mark.parametrize("block", [7, 128])
def test_blocks_find_the_pairs_that_comparing_each_finds(block: int) -> None:
    looks = films(60)
    groups = [place % 4 for place in range(len(looks))]
    expected = [
        (one, other, value)
        for one, other in combinations(range(len(looks)), 2)
        if groups[one] != groups[other] and (value := likeness(looks[one], looks[other])) >= ALIKE
    ]
    assert len(expected) > 5
    assert alike(looks, groups, block=block) == expected


def test_nothing_is_like_nothing() -> None:
    assert alike([], []) == []
    still = Fingerprint(np.zeros((8, SIDE * SIDE), np.float32))
    assert alike([still, still], ["a", "b"]) == []


def series(
    random: np.random.Generator, length: int, scene: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Light that moves about before a scene."""
    time = np.arange(length)[:, None]
    moving = sum(
        random.uniform(2, 9) * np.sin(time * random.uniform(0.05, 0.9) + random.uniform(0, 6.3, (1, 16)))
        for _ in range(3)
    )
    return np.clip(scene + moving, 0, 255)


def one_by_one(first: dict[str, Any], second: dict[str, Any]) -> tuple[float, float, bool]:
    """`compare` as it reads in words: every shift, and both ways round, one after the other."""
    every = max(first["every"], second["every"])
    a, b = (copies.unpack(one)[:: round(every / one["every"])] for one in (first, second))
    flipped = b.reshape(-1, 4, 4)[:, :, ::-1].reshape(len(b), -1)
    best = (0.0, 0.0, False)
    for other, mirrored in ((b, False), (flipped, True)):
        shorter = min(len(a), len(other))
        least = min(shorter, max(8, round(0.5 * shorter)))
        for lag in range(least - len(other), len(a) - least + 1):
            one = a[max(lag, 0) : lag + len(other)]
            two = other[max(-lag, 0) : max(-lag, 0) + len(one)]
            shaded = one.mean(0).std() * two.mean(0).std() > 1e-9
            if shaded and np.corrcoef(one.mean(0), two.mean(0))[0, 1] < 0.8:
                continue
            one, two = one - one.mean(0), two - two.mean(0)
            if min(one.std(), two.std()) < 0.25 or max(one.std(), two.std()) > 1.5 * min(
                one.std(), two.std()
            ):
                continue
            score = float((one * two).mean() / np.sqrt((one**2).mean() * (two**2).mean()))
            if score > best[0] + 1e-9:
                best = (score, lag * every, mirrored)
    return best


def test_one_video_against_many_is_like_one_after_the_other() -> None:
    random = np.random.default_rng(3)
    scenes = [random.uniform(20, 230, 16) for _ in range(2)]
    mirror = scenes[0].reshape(4, 4)[:, ::-1].reshape(-1)
    video = series(random, 60, scenes[0])
    others = [
        copies.pack(series(random, int(random.integers(3, 90)), scenes[place % 2]), 0.25)
        for place in range(40)
    ]
    others += [
        copies.pack(video[10:45], 0.25),
        copies.pack(video.reshape(-1, 4, 4)[:, :, ::-1].reshape(60, 16)[5:], 0.25),
        copies.pack(np.repeat(video, 4, axis=0), 0.0625),
        copies.pack(series(random, 200, mirror), 0.0625),
        copies.pack(np.full((30, 16), 90.0), 0.25),
        copies.pack(video[:1], 0.25),
    ]
    mine = copies.pack(video, 0.25)
    found = copies.compare_all(others, mine)
    assert max(told.score for told in found) > 0.99
    assert found[41].mirrored
    for other, told in zip(others, found, strict=True):
        score, shift, mirrored = one_by_one(other, mine)
        assert told.score == pytest.approx(score, abs=1e-6)
        assert (told.shift, told.mirrored) == (shift, mirrored)
        assert copies.compare(other, mine).score == pytest.approx(told.score, abs=1e-9)


def test_one_against_none() -> None:
    assert copies.compare_all([], copies.pack(np.zeros((9, 16)), 0.25)) == []
