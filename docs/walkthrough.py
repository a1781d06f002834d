"""Write docs/walkthrough.md: twelve mannequins from an empty folder to a hub, and two of them out again, as typed.

    python docs/walkthrough.py [FOLDER]

Every command is run, and what it prints is what the page shows. The hub is the one of the tests, on loopback
(`tests/hub_server.py`). The fakes are stand-ins that need no training: softened copies, made by a helper of the tests.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "walkthrough.md"
PEOPLE = [f"m{number:02d}" for number in range(1, 13)]
REPO = "studio/mannequins"
SIZE, SECONDS = "120x160", "1"

LOAD = """
from datasets import Video, load_dataset
for split, rows in load_dataset("studio/mannequins", "recordings", streaming=True).items():
    rows = list(rows.cast_column("video", Video(decode=False)))
    fakes = sum(row["label"] == 1 for row in rows)
    print(split, len(rows) - fakes, "real,", fakes, "fake, of", ", ".join(sorted({row["subject"] for row in rows})))
"""

INTRO = """# From a film to a data set on the hub, and out again

Written by `python docs/walkthrough.py`, which ran every command below. Twelve mannequins, who are nobody, stand for the
people you film; the hub is the one of the tests, on this machine. For the real one, leave out `HF_ENDPOINT` and type
`hf auth login` once. Long output is cut at `[…]`.

```
$ python tests/hub_server.py --root hub --token hf_walkthrough:me:studio
$ export HF_ENDPOINT=http://127.0.0.1:… HF_TOKEN=hf_walkthrough HF_HUB_DISABLE_XET=1
```
"""


class Walk:
    """Runs commands in a folder and writes down what they print."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder = folder
        self._env = env
        self.lines = [INTRO]

    def say(self, text: str) -> None:
        """A paragraph."""
        self.lines.append(text + "\n")

    def run(self, command: str, *, show: bool = True, keep: int = 14) -> None:
        """Run a command as typed; of long output the first `keep` lines are shown."""
        program, *arguments = shlex.split(command)
        if program == "python":
            program = sys.executable
        else:
            program = str(Path(sys.executable).with_name(program))
        done = subprocess.run(
            [program, *arguments],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{command}\n{done.stdout}{done.stderr}")
        if show:
            printed = done.stdout.rstrip().splitlines()
            cut = [*printed[:keep], "[…]"] if len(printed) > keep + 1 else printed
            self.lines.append("\n".join(["```", f"$ {command}", *cut, "```", ""]))


def walk(folder: Path) -> str:
    """Do everything in an empty folder; returns the page."""
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/hub_server.py"), "--root", "hub", "--token", "hf_walkthrough:me:studio"],
        cwd=folder, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        env = os.environ | {
            "HF_ENDPOINT": server.stdout.readline().strip(),
            "HF_TOKEN": "hf_walkthrough",
            "HF_HOME": str(folder / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        return _walk(Walk(folder, env), folder)
    finally:
        server.terminate()
        server.wait()


def _walk(page: Walk, folder: Path) -> str:
    page.say("## Collect")
    page.run("dataset init mannequins --title Mannequins --licence CC0-1.0 --contact data@example.org")
    for number, name in enumerate(PEOPLE, 1):
        first = name == PEOPLE[0]
        film = (
            f"dataset mannequin {name}.mp4 --seed {number} --motion dance --seconds {SECONDS} --size {SIZE}"
        )
        page.run(film, show=first)
        page.run(f"dataset add-subject mannequins {name} --mannequin", show=first)
        page.run(
            f"dataset add-recording mannequins {name}.mp4 --subject {name} --motion dance"
            " --force --reason 'short and small, for show'",
            show=first,
        )
    page.say(
        "… and the same for the other eleven. The checks are right to complain: these films are there for show."
    )
    page.say("Fakes come from `synthesize fakes`; here, stand-ins that needed no training:")
    (folder / "corpus.py").write_text(
        f"import sys\nfrom pathlib import Path\nsys.path.insert(0, {str(ROOT / 'tests')!r})\n"
        "from mannequin_collection import add_tiny_model, make_corpus\nfrom dataset.collection import Collection\n"
        "collection = Collection.open('mannequins')\n"
        "models = [add_tiny_model(collection, subject.id) for subject in collection.subjects()]\n"
        "make_corpus(collection, Path('corpus'), models)\n"
    )
    page.run("python corpus.py", show=False)
    page.run("dataset add-fakes mannequins corpus", keep=4)
    page.run("dataset show mannequins", keep=20)
    page.say("## Release")
    page.run("dataset build mannequins")
    page.run("dataset validate mannequins/releases/1.0.0")
    page.say("## Publish")
    page.run(f"dataset publish mannequins {REPO} --dry-run", keep=6)
    page.run(f"dataset publish mannequins {REPO}")
    page.say("Typed again, it finds nothing to do, and reads everything back once more:")
    page.run(f"dataset publish mannequins {REPO}")
    page.say("## Use")
    (folder / "load.py").write_text(LOAD)
    page.say(f"With `datasets`, streaming (`load.py`):\n\n```python{LOAD}```\n")
    page.run("python load.py")
    page.run(f"dataset fetch {REPO} mine")
    page.say("## Withdraw")
    page.run("dataset withdraw mannequins --subject m03 --dry-run")
    page.run("dataset withdraw mannequins --subject m03 --yes")
    page.run("dataset withdraw mannequins --subject m08 --yes")
    page.say("Nothing of the two is left, and who has an older copy can see what to delete:")
    page.run(f"dataset diff mine {REPO}", keep=24)
    page.run("dataset validate mannequins/releases/3.0.0")
    page.run("python load.py")
    return "\n".join(page.lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        chosen = Path(sys.argv[1])
        chosen.mkdir(parents=True)
        text = walk(chosen.resolve())
    else:
        with tempfile.TemporaryDirectory() as scratch:
            text = walk(Path(scratch))
    PAGE.write_text(text, "utf-8")
