"""What a job that runs, or a worker, can be asked to stop for: words in records and on channels."""

from __future__ import annotations

CANCEL = "cancel"  # for good, its state saved
CANCEL_NOW = "cancel_now"  # for good, without waiting for its state
REQUEUE = "requeue"  # its state saved, and back to where it waits; no attempt is lost

CANCELS = (CANCEL, CANCEL_NOW)
JOB_STOPS = (REQUEUE, *CANCELS)
"""Each asks for more than those before it, which it replaces."""

# A worker that is to leave. A later word counts where it asks for more haste.
DRAIN = "drain"  # once what runs is over
LEAVE = "leave"  # once what runs has saved its state and is back in its queue
LEAVE_NOW = "leave_now"  # what runs is killed, and goes back to its queue
WORKER_STOPS = (DRAIN, LEAVE, LEAVE_NOW)

TO_WORKER = "worker"
"""Begins a message on a worker's channel that is for the worker itself: `worker <word> <token>`."""

SLOTS = "slots="
"""Begins the word that asks a worker for another number of slots: `slots=3`."""

CANCELLED_WHILE_IT_WAITED = "cancelled by the user while it waited"
"""The reason of a job that was cancelled before a worker had it."""

MOST_SLOTS = 1000
