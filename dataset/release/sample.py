"""The sample: a collection of mannequins that anyone can make again, bit for bit, and that belongs to nobody.

Twelve performers who do not exist, each filmed in a few motions, with consent records of the kind "mannequin". It is
what the examples, the tests of releases and the walk-through use where real collections have people.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from dataset.collection.collection import Collection
from dataset.collection.records import Consent, Subject
from dataset.mannequin import MOTIONS, Performer, render
from dataset.provenance import rendering_tags
from dataset.release.encode import ReleaseWriter

#: The day that the sample is dated, so that it does not depend on when it is made.
CREATED = "2026-05-01"
SUBJECTS = 12
#: Of the splits: with it the twelve stand six to three to three, so that there is something to validate and test on.
SEED = 7


def make_sample(
    out: Path,
    *,
    subjects: int = SUBJECTS,
    takes: int = 2,
    seconds: float = 4.0,
    size: tuple[int, int] = (240, 320),
    fps: float = 25.0,
    fakes: Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Collection:
    """Film the mannequins and put them into a new collection.

    Args:
        out: folder of the collection; must not exist or be empty.
        subjects: how many performers: mannequin-01, mannequin-02 …
        takes: recordings of each, in motions that go round.
        seconds, size, fps: of each film.
        fakes: a corpus that `synthesize fakes` made of these recordings, to be added; it is not made here, because
            training a generator for each performer takes hours.
        progress: called with films made and in all.

    Raises:
        CollectionError: there is something in the folder already, or the corpus is of other recordings.
        DanceproofError: the films cannot be made as asked.
    """
    collection = Collection.create(
        out, name="danceproof-mannequins", title="danceproof mannequins", licence="CC0-1.0",
        contact="the danceproof maintainers", created=CREATED, seed=SEED,
    )  # fmt: skip
    moving = [motion for motion in MOTIONS if motion != "stand"]
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(1, subjects + 1):
            name = f"mannequin-{number:02d}"
            collection.add_subject(Subject(name, Consent.mannequin(), notes="Rendered by dataset mannequin."))
            for take in range(takes):
                motion = moving[(number + 2 * take) % len(moving)]
                path = Path(scratch) / f"{name}-{motion}.mp4"
                statement = rendering_tags("dataset sample")["comment"]
                # Not `film`: its encoder settings do not give the same bytes every time.
                with ReleaseWriter(path, size, statement=statement) as writer:
                    pictures = render(
                        Performer.from_seed(number), motion, seconds=seconds, fps=fps, size=size, seed=number
                    )
                    for index, (image, _) in enumerate(pictures):
                        writer.write(image, time=index / fps)
                collection.add_recording(
                    path, name, motion=motion, id=f"{name}-{motion}", filmed=CREATED, checks=()
                )
                path.unlink()
                if progress is not None:
                    progress((number - 1) * takes + take + 1, subjects * takes)
    if fakes is not None:
        collection.add_fakes(fakes)
    return collection
