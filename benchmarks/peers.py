"""An environment of their own for the packages that fusionq is compared with."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fusionq-benchmarks"


class Peers:
    """A virtual environment beside the present one, from which it borrows torch. Made when first used."""

    def __init__(self, name: str) -> None:
        self.folder = HOME / name
        self.python = self.folder / "bin" / "python"

    def install(self, package: str) -> str:
        """Make sure of a package. Returns '' or why it is not there, in a line."""
        mark = self.folder / f"{package.partition('[')[0]}.installed"
        if mark.exists():
            return ""
        self._make()
        print(f"installing {package} into {self.folder}", file=sys.stderr, flush=True)
        command = [self.python, "-m", "pip", "install", "--quiet", "--retries", "1", package]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return f"{package} cannot be installed: {(errors or ['pip failed'])[-1]}"
        mark.touch()
        return ""

    def install_all(self, packages: Sequence[str]) -> list[str]:
        """Why some are not there, a line each."""
        return [why for package in packages if (why := self.install(package))]

    def _make(self) -> None:
        borrowed = Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)})) / "borrowed.pth"
        if not borrowed.exists():
            venv.create(self.folder, with_pip=True, clear=True)
            borrowed.write_text(sysconfig.get_path("purelib") + "\n")
