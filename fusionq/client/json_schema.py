"""The JSON Schema of what `--json` prints. `VERSION` changes when a key goes or changes its meaning."""

from __future__ import annotations

from typing import Any

from fusionq.spec.states import Outcome, Status

VERSION = 1
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

STATES = [str(status) for status in Status if status is not Status.FINISHED] + [str(end) for end in Outcome]
WORKER_STATES = [
    "silent",
    "draining",
    "stopping",
    "holding",
    "quarantined",
    "no room",
    "ready",
    "starting",
]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_YES_OR_NO: Schema = {"type": "boolean"}
_BLOCK: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_STATE: Schema = {"enum": STATES}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(keys: Schema) -> Schema:
    """Every key is always there, and no other."""
    return {"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_TIME = _or_null({"type": "string", "format": "date-time"})
_OUTCOME = _or_null({"enum": [str(outcome) for outcome in Outcome]})
_SECONDS = _or_null({"type": "number", "minimum": 0})

_COMMON = {
    "id": _TEXT,
    "name": _TEXT,
    "state": _STATE,
    "outcome": _OUTCOME,
    "stop_requested": _TEXT,
    "queue": _TEXT,
    "priority": _WHOLE,
    "user": _TEXT,
    "tags": _TEXTS,
    "workdir": _TEXT,
    "submitted_at": _TIME,
    "started_at": _TIME,
    "finished_at": _TIME,
    "duration_s": _SECONDS,
}

JOB = _object(
    {
        "kind": {"const": "job"},
        **_COMMON,
        "reason": _TEXT,
        "waits_for": _TEXT,
        "held_by": _TEXT,
        "warning": _TEXT,
        "failure": _TEXT,
        "attempt": _WHOLE,
        "losses": _WHOLE,
        "losses_by_class": {"type": "object", "additionalProperties": _WHOLE},
        "sweep": _or_null(_TEXT),
        "params": _BLOCK,
        "after": _TEXTS,
        "after_need": {"enum": ["all", "any"]},
        "after_failure": {"enum": ["fail", "cancel", "run"]},
        "model_from": _or_null(_TEXT),
        "gpus": {"anyOf": [_WHOLE, {"const": "auto"}]},
        "gpu_memory_bytes": _or_null(_WHOLE),
        "needs": _BLOCK,
        "worker": _or_null(_TEXT),
        "host": _or_null(_TEXT),
        "assigned_gpus": _list(_WHOLE),
        "members": _list(_object({"worker": _TEXT, "gpus": _list(_WHOLE)})),
        "run_dir": _or_null(_TEXT),
        "code": _or_null(_TEXT),
        "git": _or_null(_BLOCK),
        "assigned_at": _TIME,
        "due_at": _TIME,
        "wait_timeout_s": _SECONDS,
        "progress": _or_null(_BLOCK),
        "result": _or_null(_BLOCK),
    }
)

SWEEP = _object(
    {
        "kind": {"const": "sweep"},
        **_COMMON,
        "method": {"enum": ["grid", "random", "list"]},
        "max_parallel": _or_null(_WHOLE),
        "keys": _TEXTS,
        "total": _WHOLE,
        "counts": {"type": "object", "propertyNames": _STATE, "additionalProperties": _WHOLE},
        "best": _or_null(_object({"trial": _TEXT, "monitor": _TEXT, "mode": _TEXT, "value": _NUMBER})),
    }
)

_BEST = _object(
    {"monitor": _TEXT, "mode": _or_null(_TEXT), "value": _or_null(_NUMBER), "epoch": _or_null(_WHOLE)}
)

COMPARED = _object(
    {
        **{key: _COMMON[key] for key in ("id", "name", "state", "outcome", "duration_s")},
        "reason": _TEXT,
        "params": _BLOCK,
        "best": _or_null(_BEST),
    }
)

MEASURED = _object({"id": _TEXT, "name": _TEXT, "state": _STATE, "epochs": _list(_BLOCK)})

SUBMITTED = _object({"id": _TEXT, "name": _TEXT, "queue": _TEXT, "is_new": _YES_OR_NO, "trials": _TEXTS})

WORKER = _object(
    {
        "name": _TEXT,
        "host": _TEXT,
        "pid": _WHOLE,
        "version": _TEXT,
        "state": {"enum": WORKER_STATES},
        "is_alive": _YES_OR_NO,
        "quarantine": _TEXT,
        "problem": _TEXT,
        "queues": _TEXTS,
        "slots": _WHOLE,
        "free_slots": _WHOLE,
        "cpus": _or_null(_WHOLE),
        "memory_bytes": _or_null(_WHOLE),
        "labels": {"type": "object", "additionalProperties": _TEXT},
        "gpus": _list(
            {
                "type": "object",
                "properties": {
                    "index": _WHOLE,
                    "jobs": _TEXTS,
                    "reserved_bytes": _WHOLE,
                    "reading": _or_null(_BLOCK),
                },
                "required": ["index", "jobs", "reserved_bytes", "reading"],
            }
        ),
        "driver": _or_null(_TEXT),
        "jobs": _TEXTS,
        "seen_at": _TIME,
        "succeeded_at": _TIME,
    }
)

QUEUE = _object(
    {
        "name": _TEXT,
        "is_paused": _YES_OR_NO,
        "reason": _TEXT,
        "queued": _WHOLE,
        "running": _WHOLE,
        "workers": _TEXTS,
    }
)

FINDING = _object(
    {"check": _TEXT, "state": {"enum": ["ok", "warning", "problem"]}, "message": _TEXT, "hint": _TEXT}
)

VALIDATED = _object(
    {
        "file": _TEXT,
        "jobs": _list(
            _object(
                {
                    "name": _TEXT,
                    "num_trials": _WHOLE,
                    "estimate": {"type": "object", "additionalProperties": _WHOLE},
                    "notes": _TEXTS,
                }
            )
        ),
        "problems": _list(_object({"where": _TEXT, "message": _TEXT})),
    }
)


def _document(key: str, item: Schema, **more: Schema) -> Schema:
    return {"$schema": DIALECT, **_object({"version": {"const": VERSION}, **more, key: _list(item)})}


OUTPUTS: dict[str, Schema] = {
    "status": _document("jobs", {"anyOf": [JOB, SWEEP]}),
    "submit": _document("jobs", SUBMITTED),
    "validate": _document("files", VALIDATED),
    "compare": _document("jobs", COMPARED),
    "metrics": _document("jobs", MEASURED),
    "workers": _document("workers", WORKER),
    "queue": _document("queues", QUEUE, order={"enum": ["fair", "fifo"]}),
    "doctor": _document("findings", FINDING),
}
"""By verb, what its `--json` prints."""
