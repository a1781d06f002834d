"""``python -m cli.fakedetect``, which is how ``torchrun -m`` starts it."""

from __future__ import annotations

from cli.fakedetect import main

main(prog_name="fakedetect")
