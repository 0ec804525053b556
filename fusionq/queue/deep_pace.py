"""How long the deep check takes on this machine: a submission waits for it only where it is quick."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from fusionq.spec.private import make_folder

QUICK_S = 1.0
REMEMBERED_S = 86_400.0


class Pace:
    """Remembered in a file, so that a machine on which torch loads slowly is asked once a day at most."""

    def __init__(self, home: Path) -> None:
        self._file = home / "cache" / "deep_check.json"

    def may_be_quick(self) -> bool:
        """False where it was found to be slow not long ago."""
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
            is_of_now = known["python"] == sys.executable and time.time() - known["at"] < REMEMBERED_S
            return not is_of_now or known["is_quick"]
        except (OSError, ValueError, KeyError, TypeError):
            return True

    def note(self, *, is_quick: bool) -> None:
        """Remember it. A home that cannot be written is no reason to fail."""
        known = {"python": sys.executable, "at": time.time(), "is_quick": is_quick}
        try:
            make_folder(self._file.parent)
            self._file.write_text(json.dumps(known))
        except OSError:
            pass
