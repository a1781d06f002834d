from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from dataset.pose.people import PeopleFinder
with PeopleFinder(max_people=1):
    assert not [name for name in sys.modules if name.startswith("matplotlib")], "matplotlib was imported"
    from mediapipe.tasks.python.vision import drawing_utils
    import matplotlib.pyplot
    assert matplotlib.pyplot.figure is drawing_utils.plt.figure, "what stands for it does not lead to it"
"""


def test_the_estimator_opens_without_matplotlib_and_leaves_it_usable() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", CODE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
