"""The worker's own process stays light: only its job processes see torch."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_loads_neither_torch_nor_the_engine():
    script = (
        "import sys, fusionq.worker.app; "
        "print([n for n in ('torch', 'numpy', 'torchvision', 'fusionq.engine') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
