from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from mannequin_collection import make_collection, tiny_film

from dataset.collection import Collection, Consent, Subject, consent_of
from dataset.errors import CollectionError, RecordError, RecordingRefused
from dataset.files import sha256_file
from dataset.provenance import synthetic_tags
from dataset.video import VideoWriter


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """A collection of one mannequin without recordings."""
    made = Collection.create(tmp_path / "c", name="demo", contact="data@example.org", created="2026-05-01")
    made.add_subject(Subject("m1", Consent.mannequin()))
    return made


def test_a_collection_is_found_again_as_it_was_made(tmp_path: Path) -> None:
    made = Collection.create(
        tmp_path / "c",
        name="demo",
        title="A demo",
        licence="CC0-1.0",
        contact="me",
        seed=7,
        created="2026-05-01",
    )
    opened = Collection.open(tmp_path / "c")
    for facts in (made, opened):
        assert (facts.name, facts.title, facts.licence, facts.contact, facts.seed, facts.created) == (
            "demo", "A demo", "CC0-1.0", "me", 7, "2026-05-01",
        )  # fmt: skip
    assert (opened.subjects(), opened.recordings(), opened.fakes(), opened.models(), opened.detectors()) == (
        [], [], [], [], [],
    )  # fmt: skip


def test_a_folder_with_something_in_it_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CollectionError, match="name a new folder"):
        Collection.create(tmp_path, name="demo")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_is_no_collection_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="dataset init"):
        Collection.open(tmp_path)


def test_a_collection_of_a_newer_schema_is_not_touched(collection: Collection) -> None:
    path = collection.root / "collection.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(RecordError, match=r"newer danceproof \(schema version 99, this one knows 2\)"):
        Collection.open(collection.root)


def test_a_recording_is_imported_byte_for_byte(collection: Collection) -> None:
    video = tiny_film(1, "dance", 0, 12)
    recording = collection.add_recording(video, "m1", motion="Ballet, slow", checks=())
    assert sha256_file(collection.path_of(recording)) == recording.sha256 == sha256_file(video)
    assert recording.id == f"m1_ballet--slow_{recording.sha256[:8]}"
    assert Collection.open(collection.root).recordings("m1") == [recording]
    assert collection.recordings("m2") == []
    assert sorted(path.name for path in collection.path_of(recording).parent.iterdir()) == [
        f"{recording.id}.json",
        f"{recording.id}.mp4",
    ]


def test_the_log_tells_what_happened_and_survives_a_torn_line(collection: Collection) -> None:
    with open(collection.root / "events.jsonl", "a") as log:
        log.write('{"time": "2026-05-0')
    collection.add_subject(Subject("m2", Consent.mannequin()))
    assert [event["event"] for event in collection.events()] == ["created", "subject added", "subject added"]


def test_one_thread_may_take_the_lock_twice_and_another_waits(collection: Collection) -> None:
    waited = threading.Thread(target=collection.add_subject, args=(Subject("m3"),), daemon=True)
    with collection.locked():
        collection.add_subject(Subject("m2"))
        waited.start()
        waited.join(0.2)
        assert [subject.id for subject in collection.subjects()] == ["m1", "m2"]
    waited.join(30)
    assert [subject.id for subject in collection.subjects()] == ["m1", "m2", "m3"]


def test_nobody_is_added_twice_and_nobody_unknown_is_filmed(collection: Collection) -> None:
    with pytest.raises(CollectionError, match="there is a subject 'm1' already"):
        collection.add_subject(Subject("m1"))
    with pytest.raises(CollectionError, match=r"no subject is called 'm9'.*there are: m1"):
        collection.add_recording(tiny_film(1, "dance", 0, 12), "m9", checks=())


def test_the_same_bytes_are_not_taken_twice_even_by_force(collection: Collection) -> None:
    collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    for force in (False, True):
        with pytest.raises(RecordingRefused, match="the same file as m1_recording_"):
            collection.add_recording(
                tiny_film(1, "dance", 0, 12), "m1", id="other", force=force, reason="because", checks=()
            )


@pytest.mark.parametrize(
    ("subject", "tags", "told"),
    [
        (Subject("p"), synthetic_tags("synthesize", SHA := "ab" * 32), "the file says that it was made"),
        (Subject("p"), {"comment": "Rendered video: a figure"}, "the file says that it was made"),
        (Subject("p", Consent.mannequin()), synthetic_tags("synthesize", SHA), "a fake is not a recording"),
        (Subject("p", Consent.mannequin()), {}, "a mannequin's film says that it is a rendering"),
    ],
)
def test_what_was_made_is_no_recording_and_a_mannequin_no_person(
    tmp_path: Path, collection: Collection, subject: Subject, tags: dict[str, str], told: str
) -> None:
    with VideoWriter(tmp_path / "made.mp4", (64, 48), fps=12, metadata=tags) as writer:
        for level in range(30):
            writer.write(np.full((48, 64, 3), level, np.uint8))
    collection.add_subject(subject)
    for force in (False, True):
        with pytest.raises(RecordingRefused, match=told):
            collection.add_recording(tmp_path / "made.mp4", "p", force=force, reason="try", checks=())
    assert collection.recordings() == []


def test_force_needs_a_reason_which_is_recorded(collection: Collection) -> None:
    video = tiny_film(1, "dance", 0, 12)
    with pytest.raises(RecordingRefused, match=r"duration: 1\.0 s long.*--force with a --reason"):
        collection.add_recording(video, "m1", checks=("duration",))
    with pytest.raises(CollectionError, match="without a reason"):
        collection.add_recording(video, "m1", checks=("duration",), force=True)
    recording = collection.add_recording(video, "m1", checks=("duration",), force=True, reason="a test")
    assert recording.forced == "a test"
    assert recording.checks["duration"].outcome == "error"


def test_a_withdrawn_subject_is_not_filmed_again(collection: Collection) -> None:
    collection.set_status("m1", "withdrawn")
    with pytest.raises(CollectionError, match="withdrawn"):
        collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    with pytest.raises(CollectionError, match="withdrawn"):
        collection.set_consent("m1", Consent.mannequin())


def test_links_that_lead_out_are_refused(collection: Collection, tmp_path: Path) -> None:
    recording = collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    video = collection.path_of(recording)
    video.rename(tmp_path / "outside.mp4")
    video.symlink_to(tmp_path / "outside.mp4")
    with pytest.raises(RecordError, match="a link leads out"):
        Collection.open(collection.root).recordings()
    (collection.root / "subjects" / "m2").symlink_to(tmp_path)
    with pytest.raises(RecordError, match="a link leads out"):
        collection.subject("m2")


def test_a_record_under_anothers_name_is_refused(collection: Collection) -> None:
    recording = collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    record = collection.record_path(recording)
    record.rename(record.with_name("other.json"))
    with pytest.raises(RecordError, match="has another's name"):
        collection.recordings()


def test_removing_leaves_neither_the_video_nor_its_record(tmp_path: Path) -> None:
    collection = make_collection(tmp_path / "c")
    recording, fake = collection.recordings("m1")[0], collection.fakes()[0]
    model, detector = collection.models()[0], collection.detectors()[0]
    gone = [collection.path_of(thing) for thing in (recording, fake, model, detector)]
    gone += [collection.record_path(thing) for thing in (recording, fake, model, detector)]
    assert all(path.exists() for path in gone)
    collection.remove(recording, fake, model, detector)
    assert [path for path in gone if path.exists()] == []
    collection.remove(recording, fake, model, detector)  # once more, as after a crash


def test_a_model_elsewhere_keeps_its_files_when_its_record_goes(tmp_path: Path) -> None:
    collection = make_collection(tmp_path / "c", subjects=1, detector=False)
    inside = collection.path_of(collection.models()[0])
    collection.remove(
        collection.models()[0].__class__(**{**vars(collection.models()[0]), "path": str(tmp_path)})
    )
    assert collection.models() == []
    assert inside.exists()
    assert tmp_path.exists()


def test_nothing_outside_is_removed(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").touch()
    with pytest.raises(RecordError, match="not inside the collection"):
        collection.remove(tmp_path / "mine.npz")
    assert (tmp_path / "mine.npz").exists()


def test_consent_is_found_by_the_bytes_of_a_recording(collection: Collection, tmp_path: Path) -> None:
    recording = collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    found = consent_of(collection.path_of(recording))
    assert found == (collection.subject("m1"), collection.root.resolve() / "subjects" / "m1" / "subject.json")
    stranger = collection.path_of(recording).with_name("stranger.mp4")
    stranger.write_bytes(b"another video")
    assert consent_of(stranger) is None
    assert consent_of(tiny_film(1, "dance", 0, 12)) is None


def test_fakes_come_with_the_lineage_that_their_hashes_tell(tmp_path: Path) -> None:
    collection = make_collection(tmp_path / "c")
    fakes = collection.fakes()
    assert [fake.kind for fake in fakes] == ["cross", "self", "self"] * 3
    recordings = {recording.id: recording for recording in collection.recordings()}
    for fake in fakes:
        assert sha256_file(collection.path_of(fake)) == fake.sha256
        assert fake.recording_sha256s == tuple(r.sha256 for r in collection.recordings(fake.subject))
        assert recordings[fake.source_recording].subject == fake.source_subject
        assert (fake.pair == fake.source_recording) is (fake.kind == "self")
        assert not fake.research_only
    assert all(len(recording.copies) == 1 for recording in recordings.values())


def test_fakes_of_strangers_and_of_the_unwilling_are_refused(tmp_path: Path) -> None:
    whole = make_collection(tmp_path / "whole")
    corpus = tmp_path / "corpus"
    from mannequin_collection import make_corpus

    models = [whole.path_of(model) for model in whole.models()]
    make_corpus(whole, corpus, models)
    assert whole.add_fakes(corpus) == []  # they are there already
    without = make_collection(tmp_path / "without", fakes=False)
    without.set_consent("m2", Consent(("train",), "DE", "2026-05-01", None, "me", "ab" * 32))
    with pytest.raises(CollectionError, match="the consent of m2 does not cover synthesise"):
        without.add_fakes(corpus)
    alone = make_collection(tmp_path / "alone", subjects=1, fakes=False)
    with pytest.raises(CollectionError, match="lineage leads out of the collection"):
        alone.add_fakes(corpus)


def test_a_fake_that_was_changed_is_refused(tmp_path: Path) -> None:
    from mannequin_collection import make_corpus

    collection = make_collection(tmp_path / "c", subjects=1, detector=False)
    collection.remove(*collection.fakes())
    corpus = make_corpus(collection, tmp_path / "corpus", [collection.path_of(collection.models()[0])])
    fake = next(clip for clip in corpus.clips if clip.label == "fake")
    with open(corpus.absolute(fake), "ab") as out:
        out.write(b"more")
    with pytest.raises(CollectionError, match="not the file that the corpus names"):
        collection.add_fakes(corpus.root)


_IMPORT = """
import sys
from pathlib import Path
from dataset.collection import Collection
print("ready", flush=True)
Collection.open(sys.argv[1]).add_recording(Path(sys.argv[2]), "m1", id="killed", checks=())
"""


def test_a_kill_leaves_a_whole_recording_or_none(collection: Collection, tmp_path: Path) -> None:
    # Padded with a box that players pass over, so that copying takes long enough to be killed in.
    video = tmp_path / "long.mp4"
    filler = 192 << 20
    video.write_bytes(tiny_film(1, "dance", 0, 12).read_bytes() + (filler + 8).to_bytes(4, "big") + b"free")
    with open(video, "ab") as out:
        out.truncate(out.tell() + filler)
    rng, outcomes = random.Random(5), set()
    for attempt in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", _IMPORT, str(collection.root), str(video)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        folder = collection.root / "subjects" / "m1" / "recordings"
        deadline = time.monotonic() + 60
        # The first kills come as soon as bytes arrive, later ones at random after that.
        while not any(folder.iterdir()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.1 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        opened = Collection.open(collection.root)
        outcomes.add(len(opened.recordings()))
        with opened.locked():
            pass  # whoever writes next settles what was left
        left = sorted(path.name for path in folder.iterdir())
        if opened.recordings():
            assert sha256_file(opened.path_of(opened.recordings()[0])) == sha256_file(video)
            assert left == ["killed.json", "killed.mp4"]
            break
        assert left == []
    assert 0 in outcomes
    if not Collection.open(collection.root).recordings():
        subprocess.run([sys.executable, "-c", _IMPORT, str(collection.root), str(video)], check=True)
    assert [recording.id for recording in Collection.open(collection.root).recordings()] == ["killed"]


def test_an_import_that_was_cut_off_after_the_video_is_finished(collection: Collection) -> None:
    recording = collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    record = collection.record_path(recording)
    os.rename(record, record.with_name(f".incoming-{record.name}"))
    assert collection.recordings() == []
    with collection.locked():
        assert collection.recordings() == [recording]


def test_a_full_disk_leaves_nothing(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        collection.add_recording(tiny_film(1, "dance", 0, 12), "m1", checks=())
    assert list((collection.root / "subjects" / "m1" / "recordings").iterdir()) == []
