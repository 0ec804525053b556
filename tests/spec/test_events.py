"""Events travel as JSON under their kind."""

from __future__ import annotations

import json

from fusionq.spec.events import EpochEnd, Event, Progress, Started, Warned


def test_the_kinds_are_pinned():
    assert {kind.__name__: kind.kind for kind in Event.__subclasses__()} == {
        "Started": "started",
        "Progress": "progress",
        "EpochEnd": "epoch",
        "Warned": "warning",
    }


def test_an_event_is_plain_json_with_its_kind():
    events = [
        Started("cpu", 10, 2, 5),
        Progress("train", 1, 2, 3, 5, 100.0, 1.5, {"loss": 0.5}),
        EpochEnd(1, 2, 0.5, 100.0, True, {"test_top1": 0.9}),
        Warned("data was replaced"),
    ]
    for event in events:
        assert json.loads(json.dumps(event.to_json())) == event.to_json()
    assert events[3].to_json() == {"kind": "warning", "text": "data was replaced"}
