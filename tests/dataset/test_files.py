from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dataset.files import atomic_path, sha256_file, write_json


def test_the_hash_is_of_all_bytes_also_beyond_one_chunk(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "data").write_bytes(data)
    assert sha256_file(tmp_path / "data") == hashlib.sha256(data).hexdigest()


def test_a_block_that_ends_well_leaves_the_new_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "clip.mp4") as temporary:
        assert temporary.suffix == ".mp4"
        assert temporary.parent == tmp_path
        temporary.touch()


def test_json_is_readable_and_keeps_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Zoë", "count": 2})
    text = (tmp_path / "a.json").read_text("utf-8")
    assert "Zoë" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "Zoë", "count": 2}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_numbers_that_json_does_not_have(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"value": value})
    assert list(tmp_path.iterdir()) == []
