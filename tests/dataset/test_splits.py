"""Splits: disjoint, steady, and a function of the seed and the names alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dataset.release.splits import SHARES, SPLITS, Link, assign, place, torn

SEEDS = range(25)


def some_people(random: np.random.Generator, count: int) -> list[str]:
    return [f"s{number}" for number in random.choice(10_000, size=count, replace=False)]


def some_links(random: np.random.Generator, people: list[str], count: int) -> list[Link]:
    return [Link(*(str(name) for name in random.choice(people, 2)), "the same file") for _ in range(count)]


@pytest.mark.parametrize("seed", SEEDS)
def test_adding_subjects_and_links_to_them_moves_nobody_who_was_released(seed: int) -> None:
    random = np.random.default_rng(seed)
    old = some_people(random, 20)
    links = some_links(random, old, 4)
    before = assign(old, links, seed=seed).split
    people = [*old, *(f"new{number}" for number in range(15))]
    links += some_links(random, people, 8)
    after = assign(people, links, seed=seed, previous=before)
    assert {name: after.split[name] for name in old} == before


@pytest.mark.parametrize("seed", SEEDS)
def test_linked_subjects_share_a_split_unless_earlier_releases_tore_them_apart(seed: int) -> None:
    random = np.random.default_rng(seed)
    old = some_people(random, 12)
    before = assign(old, seed=seed).split
    people = [*old, "x1", "x2", "x3"]
    links = some_links(random, people, 10)
    result = assign(people, links, seed=seed, previous=before)
    torn_apart = {conflict.link for conflict in result.conflicts}
    for link in links:
        same = result.split[link.first] == result.split[link.second]
        assert same or link in torn_apart or any(conflict.link.reason for conflict in result.conflicts)
        if link in torn_apart:
            assert not same
    assert {name: result.split[name] for name in old} == before


def test_the_order_of_subjects_and_links_does_not_matter() -> None:
    random = np.random.default_rng(3)
    people = some_people(random, 30)
    links = some_links(random, people, 12)
    assert assign(people, links, seed=5) == assign(people[::-1], links[::-1], seed=5)


def test_without_a_release_before_subjects_stay_where_their_hash_puts_them() -> None:
    people = [f"s{number}" for number in range(60)]
    few = assign(people[:40], seed=1).split
    many = assign(people, seed=1).split
    assert all(many[name] == few[name] for name in people[:40])


def test_shares_are_kept_on_average() -> None:
    split = assign([f"s{number}" for number in range(3000)], seed=2).split
    for name, share in zip(SPLITS, SHARES, strict=True):
        assert sum(where == name for where in split.values()) / 3000 == pytest.approx(share, abs=0.03)


def test_another_seed_gives_other_splits() -> None:
    people = [f"s{number}" for number in range(50)]
    assert assign(people, seed=1).split != assign(people, seed=2).split
    assert place(1, "a") != place(2, "a")


@pytest.mark.parametrize("count", [3, 4, 6, 12])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_first_release_has_somebody_in_every_split(seed: int, count: int) -> None:
    assert set(assign([f"s{number}" for number in range(count)], seed=seed).split.values()) == set(SPLITS)


def test_whoever_was_released_is_not_taken_to_fill_an_empty_split() -> None:
    before = {"a": "train", "b": "train", "c": "train"}
    assert assign(list("abc"), seed=0, previous=before).split == before


def test_a_link_between_two_released_splits_is_a_conflict() -> None:
    result = assign(["a", "b"], [Link("a", "b", "the same file")], previous={"a": "train", "b": "test"})
    assert result.split == {"a": "train", "b": "test"}
    assert [conflict.link.reason for conflict in result.conflicts] == ["the same file"]


def test_a_chain_of_links_is_one_group() -> None:
    names = [f"s{number}" for number in range(8)]
    result = assign([*names, "other"], [Link(a, b, "") for a, b in pairwise(names)])
    assert len({result.split[name] for name in names}) == 1
    assert tuple(names) in result.groups


def test_a_fake_of_people_in_different_splits_is_refused() -> None:
    split = {"a": "train", "b": "train", "c": "test"}
    assert torn(["a", "b"], split) is None
    assert "different splits" in str(torn(["a", "c"], split))
    assert "z is not in this release" in str(torn(["a", "z"], split))
