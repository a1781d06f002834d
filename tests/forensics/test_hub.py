"""Detectors on a hub of models, over HTTP, in a process that knows no other hub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hub_cases import STRANGER, environment, serving
from hub_server import HubServer

from dataset.errors import ModelError
from forensics import hub as hubs
from forensics.calibrate import Calibration
from forensics.detectors import Detector, create

REPO = "studio/detector"
SAMPLE = Path(__file__).parents[2] / "forensics" / "samples" / "mannequin_fake.mp4"


@pytest.fixture
def detector(calibration: Calibration) -> Detector:
    made = create("patch", window=32, ndf=4)
    made.calibration = calibration
    made.facts = {"subjects": ["anna", "bert"]}
    return made


def python(
    hub: HubServer, home: Path, code: str, *, token: str | None = None
) -> subprocess.CompletedProcess[str]:
    env = environment(hub, home) if token is None else environment(hub, home, token)
    head = "import sys, json; from forensics.hub import from_pretrained, push_to_hub, load_detector, HubDetector\n"
    command = [sys.executable, "-c", head + code]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_a_detector_comes_back_from_the_hub_with_its_calibration_and_its_card(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector.save(tmp_path / "mine")
    with serving(tmp_path / "hub", monkeypatch) as hub:
        told = python(
            hub,
            tmp_path / "home",
            f"""
print(push_to_hub(load_detector({str(tmp_path / "mine")!r}), {REPO!r}))
back = from_pretrained({REPO!r})
print(json.dumps([back.name, back.weights_sha256, back.calibration_sha256]))
""",
        )
        assert told.returncode == 0, told.stderr
        address, facts = told.stdout.splitlines()
        assert address.startswith(f"{hub.url}/{REPO}/commit/")
        assert json.loads(facts) == ["patch", detector.weights_sha256, detector.calibration_sha256]
        repo = hub.store.get("models", REPO)
        assert repo is not None
        tree = repo.tree("main")
        assert {"README.md", "config.json", "detector.json", "detector.safetensors"} <= set(tree)
        assert tree["detector.safetensors"]["lfs"]["oid"] == detector.weights_sha256
        card = (repo.folder / "blobs" / tree["README.md"]["oid"]).read_text()
        assert card.startswith("---\n")
        assert "library_name: danceproof" in card
        assert "anna, bert" in card

        # By its name on the command line; the run says which commit it was.
        for model, status in ((REPO, 0), (f"{REPO}@{'0' * 40}", 2), ("studio/other", 2)):
            scanned = subprocess.run(
                [
                    *(sys.executable, "-m", "cli.fakedetect", "scan", "--model", model, "--pairs", "2"),
                    *("--json", str(SAMPLE)),
                ],
                env=environment(hub, tmp_path / "scanning"), capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            assert scanned.returncode == status, scanned.stderr
            if status:
                assert scanned.stderr.startswith(
                    f"error: {model.partition('@')[0]} is no folder here; fetching it"
                )
            else:
                assert json.loads(scanned.stdout)["tool"]["detector_sha256"] == detector.weights_sha256

        # The hub hands out weights that were changed there, under the old description.
        stored = repo.folder / "lfs" / detector.weights_sha256
        stored.write_bytes(stored.read_bytes()[:-1] + b"?")
        changed = python(hub, tmp_path / "other", f"from_pretrained({REPO!r})")
        assert "dataset.errors.ModelError" in changed.stderr
        assert "SHA-256 differs" in changed.stderr
        stored.write_bytes(stored.read_bytes()[:-9])
        short = python(hub, tmp_path / "third", f"from_pretrained({REPO!r})")
        assert "dataset.errors.HubError" in short.stderr


@pytest.mark.slow
def test_what_the_hub_refuses_is_told_in_one_line_without_the_token(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector.save(tmp_path / "mine")
    with serving(tmp_path / "hub", monkeypatch) as hub:
        told = python(
            hub,
            tmp_path / "home",
            f"""
from dataset.errors import HubError
for work in (lambda: from_pretrained({REPO!r}), lambda: from_pretrained("no folder, no name"),
             lambda: push_to_hub(load_detector({str(tmp_path / "mine")!r}), {REPO!r})):
    try:
        work()
    except HubError as error:
        print(error)
""",
            token=STRANGER,
        )
    assert told.returncode == 0, told.stderr
    missing, nonsense, refused = told.stdout.splitlines()
    assert "no such model" in missing
    assert "ORG/NAME" in nonsense
    assert "403" in refused
    assert STRANGER not in told.stdout + told.stderr


def test_without_a_hub_the_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "hub", monkeypatch) as hub:
        pass
    told = python(hub, tmp_path / "home", f"from_pretrained({REPO!r})")
    assert "dataset.errors.HubError" in told.stderr
    assert "cannot be reached" in told.stderr


def test_a_folder_is_loaded_without_a_hub_and_held_to_the_hash_that_was_asked_for(
    detector: Detector, tmp_path: Path
) -> None:
    detector.save(tmp_path)
    assert hubs.from_pretrained(tmp_path, weights_sha256=detector.weights_sha256).name == "patch"
    same = Detector.from_pretrained(tmp_path, weights_sha256=detector.weights_sha256)
    assert same.weights_sha256 == detector.weights_sha256
    with pytest.raises(ModelError, match="not 0000"):
        hubs.from_pretrained(tmp_path, weights_sha256="0" * 64)


def test_a_byte_changed_in_the_weights_is_refused(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path)
    weights = tmp_path / "detector.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        hubs.from_pretrained(tmp_path)


def test_a_pickle_in_place_of_the_weights_is_not_run(detector: Detector, tmp_path: Path) -> None:
    import hashlib
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    detector.save(tmp_path)
    blob = pickle.dumps(Bomb())
    (tmp_path / "detector.safetensors").write_bytes(blob)
    settings = json.loads((tmp_path / "detector.json").read_text())
    settings["weights_sha256"] = hashlib.sha256(blob).hexdigest()
    (tmp_path / "detector.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="not a detector"):
        hubs.from_pretrained(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_the_card_of_the_package_goes_with_its_own_detector_only(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path)
    text = hubs.HubDetector(detector).generate_model_card().text
    assert "is not stated here" in text
    shipped = hubs.load_detector()
    assert (
        hubs.HubDetector(shipped).generate_model_card().text.strip() == hubs.DEFAULT_CARD.read_text().strip()
    )
