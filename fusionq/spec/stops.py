"""What a job that runs can be asked to stop for: words in its record, and on the channel of its worker."""

from __future__ import annotations

CANCEL = "cancel"  # for good, its state saved
CANCEL_NOW = "cancel_now"  # for good, without waiting for its state
REQUEUE = "requeue"  # its state saved, and back to where it waits; no attempt is lost

CANCELS = (CANCEL, CANCEL_NOW)
