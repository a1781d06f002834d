from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli.app import DanceproofGroup, PlainLines, progress, spell_seconds
from dataset.errors import VideoError

ROOT = Path(__file__).resolve().parents[2]


def run_raising(error: BaseException) -> Result:
    @click.group(cls=DanceproofGroup)
    def main() -> None: ...

    @main.group()
    def deeper() -> None: ...

    @deeper.command()
    def fail() -> None:
        raise error

    return CliRunner().invoke(main, ["deeper", "fail"])


def test_an_error_of_ours_is_one_line_and_status_2() -> None:
    result = run_raising(VideoError("stops in\nthe middle", path="a b.mp4", hint="copy it again"))
    assert result.exit_code == 2
    assert result.stderr == "error: a b.mp4: stops in the middle – copy it again\n"
    assert result.stdout == ""


def test_a_fault_names_its_kind_and_asks_for_a_report() -> None:
    result = run_raising(KeyError("left"))
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert "KeyError: 'left'" in result.stderr
    assert "please report" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_traceback_is_one_variable_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANCEPROOF_TRACEBACK", "1")
    result = run_raising(KeyError("left"))
    assert result.exit_code == 70
    assert "Traceback (most recent call last)" in result.stderr
    assert "in fail" in result.stderr


def test_a_file_that_the_system_refuses_is_the_users_to_mend(tmp_path: Path) -> None:
    result = run_raising(PermissionError(13, "Permission denied", str(tmp_path / "out.mp4")))
    assert result.exit_code == 2
    assert result.stderr == f"error: {tmp_path / 'out.mp4'}: Permission denied\n"


def test_a_full_disk_is_no_bug() -> None:
    result = run_raising(OSError(28, "No space left on device"))
    assert (result.exit_code, result.stderr) == (2, "error: No space left on device\n")


def test_a_pipe_to_a_worker_that_breaks_is_not_taken_for_our_reader() -> None:
    result = run_raising(BrokenPipeError(32, "Broken pipe"))
    assert result.exit_code == 70
    assert "BrokenPipeError" in result.stderr


def test_interruption_is_status_130() -> None:
    result = run_raising(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_wrong_usage_stays_with_click() -> None:
    @click.group(cls=DanceproofGroup)
    def main() -> None: ...

    @main.command()
    @click.option("--count", type=int)
    def go(count: int) -> None: ...

    result = CliRunner().invoke(main, ["go", "--count", "many"])
    assert result.exit_code == 2
    assert "Invalid value for '--count'" in result.stderr


def run_script(body: str, pipe_to: str) -> subprocess.CompletedProcess[str]:
    script = f"""\
        import click
        from cli.app import DanceproofGroup

        @click.group(cls=DanceproofGroup)
        def main(): ...

        @main.command()
        def talk():
            {body}

        main()
        """
    return subprocess.run(
        [
            "bash",
            "-o",
            "pipefail",
            "-c",
            f'"$0" -c "$1" talk | {pipe_to}',
            sys.executable,
            textwrap.dedent(script),
        ],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("body", ["[click.echo('line') for _ in range(100_000)]", "print('short')"])
def test_a_reader_that_leaves_early_is_met_with_silence(body: str) -> None:
    done = run_script(body, pipe_to="sleep 0.3" if "short" in body else "head -n 1")
    assert done.stderr == ""
    assert done.returncode in (0, 141)
    if "short" not in body:
        assert (done.returncode, done.stdout) == (141, "line\n")


def test_a_file_name_that_is_not_utf8_can_be_printed() -> None:
    done = run_script(r"click.echo('caf\udce9.mp4')", pipe_to="cat")
    assert (done.returncode, done.stdout) == (0, "caf\\udce9.mp4\n")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_now_and_then_with_the_time_left() -> None:
    clock, out = Clock(), io.StringIO()
    lines = PlainLines("training", total=100, every=10, clock=clock, out=out)
    for done in range(41):
        lines.update(done, note=f"loss {done / 10:.1f}")
        clock.now += 0.5
    lines.finish()
    assert out.getvalue().splitlines() == [
        "training: 4/100, 48 s left, loss 0.4",
        "training: 24/100, 38 s left, loss 2.4",
        "training: 40/100, done in 20 s, loss 4.0",
    ]


def test_time_left_counts_only_what_this_run_did() -> None:
    clock, out = Clock(), io.StringIO()
    lines = PlainLines("training", total=1000, clock=clock, out=out)
    lines.update(900)
    clock.now += 5
    lines.update(950)
    assert out.getvalue() == "training: 950/1000, 5 s left\n"


def test_work_that_is_over_at_once_says_nothing() -> None:
    out = io.StringIO()
    lines = PlainLines("reading", out=out)
    lines.update(1)
    lines.finish()
    assert out.getvalue() == ""


def test_without_a_total_only_the_count_is_told() -> None:
    clock, out = Clock(), io.StringIO()
    lines = PlainLines("reading", clock=clock, out=out)
    clock.now += 3
    lines.update(7)
    assert out.getvalue() == "reading: 7\n"


def test_no_closing_line_claims_that_failed_work_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PlainLines, "FIRST", 0.0)

    def fail_half_way() -> None:
        with progress("reading", total=2) as bar:
            bar.update(1)
            raise VideoError("cut off")

    with pytest.raises(VideoError):
        fail_half_way()
    assert capsys.readouterr().err == "reading: 1/2\n"


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    """Runs in a pseudo-terminal; brackets in texts must come out as they are, not as markup."""
    script = textwrap.dedent("""\
        import time
        from cli.app import progress
        with progress("poses [1/2]", total=4) as bar:
            for done in range(5):
                bar.update(done, note="a [bold] note")
        """)
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", script], stderr=slave, env=env)
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # Linux tells the end of a pseudo-terminal so
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    assert process.wait(30) == 0
    text = shown.decode()
    assert "poses [1/2]" in text
    assert "4/4" in text
    assert "a [bold] note" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
        (-3, "0 s"),
    ],
)
def test_durations_are_spelled_for_people(seconds: float, text: str) -> None:
    assert spell_seconds(seconds) == text
