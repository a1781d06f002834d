"""``python -m cli.synthesize``, which is how ``torchrun -m`` starts it."""

from __future__ import annotations

from cli.synthesize import main

main(prog_name="synthesize")
