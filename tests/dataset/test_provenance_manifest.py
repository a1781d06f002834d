"""Signed manifests on real H.264 files, checked by the C2PA library's own reader."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
import numpy as np
import pytest
from certificates import issue

from dataset.errors import ProvenanceError
from dataset.provenance import VERSION, Statement, find_identity, read_manifest, signed_video
from dataset.provenance.identity import CERTIFICATE, DEVELOPMENT, PASSWORD, PRIVATE_KEY, config_folder
from dataset.provenance.manifest import TRUST_ANCHORS
from dataset.video import VideoInfo, VideoWriter, frame_times

STATEMENT = Statement("synthesize transfer", "cross", "ab" * 32, "cd" * 32, "person", "ef" * 32)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned H.264 file with something to see in it."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    dice = np.random.default_rng(0)
    with VideoWriter(path, (96, 64), fps=25, metadata={"comment": "a comment"}) as writer:
        for _ in range(12):
            writer.write(dice.integers(0, 255, (64, 96, 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def signed(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, signed with the development certificate."""
    path = tmp_path_factory.mktemp("signed") / "signed.mp4"
    sign(plain, path)
    return path


def sign(plain: Path, path: Path, statement: Statement = STATEMENT) -> None:
    with signed_video(path, find_identity(), statement) as unsigned:
        shutil.copy(plain, unsigned)


def library_says(path: Path) -> dict[str, object]:
    with c2pa.Reader(path) as reader:
        return json.loads(reader.json())


def test_the_library_itself_finds_the_manifest_valid(signed: Path) -> None:
    told = library_says(signed)
    assert told["validation_state"] == "Valid"
    manifest = told["manifests"][told["active_manifest"]]  # type: ignore[index]
    assertions = {entry["label"]: entry["data"] for entry in manifest["assertions"]}
    (action,) = assertions["c2pa.actions.v2"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert manifest["claim_generator_info"][0]["name"] == "danceproof"
    assert manifest["claim_generator_info"][0]["version"] == VERSION
    assert assertions["danceproof.synthesis"] == STATEMENT.to_dict()


def test_integrity_and_authenticity_are_two_answers(signed: Path) -> None:
    state = read_manifest(signed)
    assert (state.integrity, state.authenticity) == ("valid", "development")
    assert state.signer == DEVELOPMENT
    assert state.says_synthetic
    assert state.statement["model_sha256"] == "ab" * 32
    assert "proves nothing" in "\n".join(state.lines())


def test_a_file_grows_by_a_few_kilobytes_and_its_frames_stay(plain: Path, signed: Path) -> None:
    assert 1000 < signed.stat().st_size - plain.stat().st_size < 8000
    assert (frame_times(signed) == frame_times(plain)).all()
    assert VideoInfo.from_path(signed).metadata["comment"] == "a comment"


@pytest.mark.parametrize("where", [0.5, 0.9, -2])
def test_a_changed_byte_of_the_video_is_noticed(signed: Path, tmp_path: Path, where: float) -> None:
    data = bytearray(signed.read_bytes())
    data[round(where * len(data)) if where > 0 else int(where)] ^= 1
    (tmp_path / "changed.mp4").write_bytes(data)
    state = read_manifest(tmp_path / "changed.mp4")
    assert (state.integrity, state.authenticity) == ("altered", "development")
    assert "bmffHash.mismatch" in state.problems[0]


@pytest.mark.parametrize("old", [b"trainedAlgorithmicMedia", b"person", b"a comment"])
def test_a_changed_word_of_what_is_said_is_noticed(signed: Path, tmp_path: Path, old: bytes) -> None:
    data = signed.read_bytes()
    assert old in data
    (tmp_path / "changed.mp4").write_bytes(data.replace(old, old[::-1]))
    assert read_manifest(tmp_path / "changed.mp4").integrity == "altered"


def test_frames_cut_off_or_added_are_noticed(signed: Path, tmp_path: Path) -> None:
    data = signed.read_bytes()
    for name, changed in (("cut.mp4", data[:-500]), ("added.mp4", data + data[-500:])):
        (tmp_path / name).write_bytes(changed)
        state = read_manifest(tmp_path / name)
        assert state.integrity in ("altered", "unreadable"), (
            name
        )  # unreadable where a box does not end in the file
        assert state.problems


def test_a_manifest_in_ruins_is_unreadable_not_missing(signed: Path, tmp_path: Path) -> None:
    data = signed.read_bytes()
    start = data.index(b"jumb")
    (tmp_path / "ruin.mp4").write_bytes(data[:start] + bytes(200) + data[start + 200 :])
    state = read_manifest(tmp_path / "ruin.mp4")
    assert state.integrity == "unreadable"
    assert state.problems


def test_files_without_a_manifest_have_none(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video at all")
    with VideoWriter(tmp_path / "other.mkv", (64, 48), fps=25) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    for path in (plain, tmp_path / "text.mp4", tmp_path / "other.mkv"):
        assert read_manifest(path).integrity == "none"
    with pytest.raises(FileNotFoundError):
        read_manifest(tmp_path / "none.mp4")


def test_mov_is_signed_as_well_and_other_containers_are_refused(plain: Path, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "plain.mov", (64, 48), fps=25) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    sign(tmp_path / "plain.mov", tmp_path / "signed.mov")
    assert read_manifest(tmp_path / "signed.mov").integrity == "valid"
    with pytest.raises(ProvenanceError, match=r"a \.mkv file cannot carry .* write \.mp4 or \.mov"):
        sign(plain, tmp_path / "signed.mkv")


@pytest.mark.parametrize("kind", ["es256", "es384", "ed25519", "ps256"])
def test_a_certificate_of_the_users_own_signs_and_is_trusted_once_they_say_so(
    plain: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = issue(tmp_path, "Ada Lovelace", kind)
    monkeypatch.setenv(CERTIFICATE, str(ada.chain))
    monkeypatch.setenv(PRIVATE_KEY, str(ada.key))
    sign(plain, tmp_path / "signed.mp4")
    state = read_manifest(tmp_path / "signed.mp4")
    assert (state.integrity, state.authenticity, state.signer) == ("valid", "unknown", "Ada Lovelace")
    assert read_manifest(tmp_path / "signed.mp4", anchors=ada.root).authenticity == "trusted"
    monkeypatch.setenv(TRUST_ANCHORS, str(ada.root))
    assert read_manifest(tmp_path / "signed.mp4").authenticity == "trusted"
    other = issue(tmp_path, "Somebody else", kind)
    assert read_manifest(tmp_path / "signed.mp4", anchors=other.root).authenticity == "unknown"


def test_a_trusted_signer_does_not_make_a_changed_file_whole(plain: Path, tmp_path: Path) -> None:
    ada = issue(tmp_path, "Ada Lovelace")
    with signed_video(tmp_path / "a.mp4", find_identity(ada.chain, ada.key), STATEMENT) as unsigned:
        shutil.copy(plain, unsigned)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    data[-2] ^= 1
    (tmp_path / "a.mp4").write_bytes(data)
    state = read_manifest(tmp_path / "a.mp4", anchors=ada.root)
    assert (state.integrity, state.authenticity) == ("altered", "trusted")


def test_a_certificate_that_ran_out_since_leaves_the_file_unaltered(plain: Path, tmp_path: Path) -> None:
    import time

    ada = issue(tmp_path, "Ada Lovelace", until=datetime.now(UTC) + timedelta(seconds=2))
    with signed_video(tmp_path / "a.mp4", find_identity(ada.chain, ada.key), STATEMENT) as unsigned:
        shutil.copy(plain, unsigned)
    time.sleep(3)
    state = read_manifest(tmp_path / "a.mp4", anchors=ada.root)
    assert (state.integrity, state.authenticity) == ("valid", "unknown")
    assert "expired" in state.signer_problems[0]


def bad_identities(folder: Path) -> list[tuple[Path | None, Path | None, str]]:
    good, other = issue(folder, "Ada"), issue(folder, "Ben")
    day = timedelta(days=1)
    over = issue(folder, "Cyd", until=datetime.now(UTC) - day)
    early = issue(folder, "Dan", since=datetime.now(UTC) + day)
    server = issue(folder, "Eve", purpose="server")
    alone = issue(folder, "Fay", self_signed=True)
    (folder / "empty.pem").write_text("nothing")
    return [
        (good.chain, None, "the private key is missing"),
        (None, good.key, "the certificate is missing"),
        (good.chain, other.key, "not the key of the first certificate"),
        (over.chain, over.key, "ran out on"),
        (early.chain, early.key, "not valid before"),
        (server.chain, server.key, "cannot sign .* extended key usage"),
        (alone.chain, alone.key, "self-signed"),
        (folder / "empty.pem", good.key, "no certificate in PEM"),
        (good.chain, folder / "empty.pem", "private key cannot be read"),
        (folder / "none.pem", good.key, "cannot be read"),
    ]


def test_a_certificate_that_cannot_sign_is_told_before_the_work(tmp_path: Path) -> None:
    for certificate, key, said in bad_identities(tmp_path):
        with pytest.raises(ProvenanceError, match=said):
            find_identity(certificate, key)


def test_an_encrypted_key_is_opened_with_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = issue(tmp_path, "Ada", password=b"1815")
    with pytest.raises(ProvenanceError, match=PASSWORD):
        find_identity(ada.chain, ada.key)
    monkeypatch.setenv(PASSWORD, "1815")
    assert find_identity(ada.chain, ada.key).name == "Ada"


def test_the_development_certificate_is_made_once_and_kept_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first, second = find_identity(), find_identity()
    assert first == second
    assert first.development
    assert first.name == "danceproof DEVELOPMENT – not a statement of identity"
    folder = config_folder() / "development"
    assert folder.is_relative_to(tmp_path)
    assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in folder.parent.iterdir()) == ["development"]


def test_a_config_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(ProvenanceError, match=r"cannot be kept here .* --certificate"):
        find_identity()


def test_what_cannot_be_signed_is_not_left(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise c2pa.C2paError("no more ink")

    identity = find_identity()
    monkeypatch.setattr(c2pa.Builder, "sign", refuse)
    out = tmp_path / "out"
    with (
        pytest.raises(ProvenanceError, match=r"fake\.mp4: cannot be signed \(C2PA: no more ink\)"),
        signed_video(out / "fake.mp4", identity, STATEMENT) as unsigned,
    ):
        shutil.copy(plain, unsigned)
    assert list(out.iterdir()) == []


def test_an_older_file_stays_when_the_new_one_fails(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "fake.mp4"
    out.write_bytes(b"older")

    def fail(unsigned: Path) -> None:
        shutil.copy(plain, unsigned)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), signed_video(out, find_identity(), STATEMENT) as unsigned:
        fail(unsigned)
    assert out.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [out]


_KILLED = textwrap.dedent(
    """
    import shutil, sys, time
    from pathlib import Path
    import c2pa
    from dataset.provenance import Statement, find_identity, signed_video

    where, plain, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

    def halt():
        print("now", flush=True)
        time.sleep(60)

    if where == "signing":
        real = c2pa.Builder.sign
        def half(self, signer, media_type, source, dest):
            dest.write(plain.read_bytes()[:1000]); dest.flush(); halt()
        identity = find_identity()
        c2pa.Builder.sign = half
    else:
        identity = find_identity()
    with signed_video(out, identity, Statement("test", "self", "ab", "cd", "mannequin")) as unsigned:
        unsigned.write_bytes(plain.read_bytes()[:1000])
        if where == "writing":
            halt()
        shutil.copy(plain, unsigned)
        if where == "written":
            halt()
    """
)


@pytest.mark.parametrize("where", ["writing", "written", "signing"])
def test_killed_at_any_moment_nothing_unsigned_has_the_name(plain: Path, tmp_path: Path, where: str) -> None:
    out = tmp_path / "fake.mp4"
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, where, str(plain), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not out.exists()
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    sign(plain, out)  # goes on as if nothing had been, and takes the remains away
    assert list(tmp_path.iterdir()) == [out]
    assert read_manifest(out).integrity == "valid"


def test_a_running_process_keeps_its_unfinished_file(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "fake.mp4"
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, "written", str(plain), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    try:
        sign(plain, out)
        assert len(list(tmp_path.iterdir())) == 2
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_help_does_not_wait_for_the_library() -> None:
    code = "import sys, dataset.provenance; print('c2pa' in sys.modules, 'cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
