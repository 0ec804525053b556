"""How a worker is set up."""

from __future__ import annotations

import pytest

from fusionq.errors import UsageError
from fusionq.worker import options
from fusionq.worker.options import WorkerOptions


def test_the_variables_are_spelled_so():
    assert options.ENV_NAME == "FUSIONQ_WORKER_NAME"
    assert options.ENV_SLOTS == "FUSIONQ_WORKER_SLOTS"
    assert options.ENV_GPUS == "FUSIONQ_WORKER_GPUS"
    assert options.ENV_QUEUES == "FUSIONQ_WORKER_QUEUES"
    assert options.ENV_LABELS == "FUSIONQ_WORKER_LABELS"
    assert options.ENV_ADDRESS == "FUSIONQ_WORKER_ADDRESS"
    assert options.ENV_FOREIGN == "FUSIONQ_WORKER_FOREIGN"
    assert options.ENV_METRICS_PORT == "FUSIONQ_WORKER_METRICS_PORT"
    assert options.ENV_EXIT_WHEN_IDLE == "FUSIONQ_WORKER_EXIT_WHEN_IDLE"


def test_without_a_word_a_worker_takes_all_gpus_and_the_default_queue():
    assert WorkerOptions.from_environ({}) == WorkerOptions()


def test_everything_can_be_said():
    environ = {
        options.ENV_NAME: "box",
        options.ENV_SLOTS: "3",
        options.ENV_GPUS: "0,2",
        options.ENV_QUEUES: " big , small,",
        options.ENV_LABELS: "site=berlin",
        options.ENV_FOREIGN: "share",
        options.ENV_ADDRESS: "10.0.0.1",
        options.ENV_EXIT_WHEN_IDLE: "1",
    }
    assert WorkerOptions.from_environ(environ) == WorkerOptions(
        "box",
        3,
        "0,2",
        ("big", "small"),
        ("site=berlin",),
        exit_when_idle=True,
        foreign="share",
        address="10.0.0.1",
    )


@pytest.mark.parametrize("queues", ["", " ", ","])
def test_no_queue_is_the_default_queue(queues: str):
    assert WorkerOptions.from_environ({options.ENV_QUEUES: queues}).queues == ("default",)


def test_slots_may_be_counted_for_each_gpu():
    found = WorkerOptions.from_environ({options.ENV_SLOTS: "per-gpu:3"})
    assert (found.slots, found.slots_per_gpu) == (None, 3)
    assert WorkerOptions.from_environ({options.ENV_SLOTS: "3"}).slots == 3


def test_labels_are_key_and_value():
    found = WorkerOptions.from_environ({options.ENV_LABELS: "site=berlin, disk=fast"})
    assert found.labels == ("site=berlin", "disk=fast")
    for wrong in ("site", "=berlin", "site="):
        with pytest.raises(UsageError, match="is not a label such as site=berlin"):
            WorkerOptions.from_environ({options.ENV_LABELS: wrong})


@pytest.mark.parametrize("slots", ["per-gpu:", "per-gpu:0", "0", "-1", "two", "1001", "1.5", "²"])
def test_a_wrong_number_of_slots_is_refused(slots: str):
    with pytest.raises(UsageError, match="FUSIONQ_WORKER_SLOTS"):
        WorkerOptions.from_environ({options.ENV_SLOTS: slots})


@pytest.mark.parametrize("gpus", ["some", "0,", "0;1", "-1", "²"])
def test_a_wrong_choice_of_gpus_is_refused(gpus: str):
    with pytest.raises(UsageError, match="FUSIONQ_WORKER_GPUS"):
        WorkerOptions.from_environ({options.ENV_GPUS: gpus})


def test_a_word_for_the_gpus_of_others_that_is_none_is_refused():
    with pytest.raises(UsageError, match="FUSIONQ_WORKER_FOREIGN"):
        WorkerOptions.from_environ({options.ENV_FOREIGN: "sharing"})


def test_a_worker_is_called_like_its_machine_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("socket.gethostname", lambda: "box.example.org")
    assert WorkerOptions().base_name() == "box"
    assert WorkerOptions(name="mine").base_name() == "mine"


@pytest.mark.parametrize(
    ("text", "address"),
    [("", ""), ("9400", "127.0.0.1:9400"), ("0.0.0.0:9400", "0.0.0.0:9400"), ("[::]:9400", "[::]:9400")],
)
def test_metrics_are_for_this_machine_unless_a_host_is_named(text: str, address: str):
    assert WorkerOptions.from_environ({options.ENV_METRICS_PORT: text}).metrics_port == address


@pytest.mark.parametrize("text", ["x", "65536", "localhost", "1.5", "-1"])
def test_what_is_no_port_is_refused(text: str):
    with pytest.raises(UsageError, match="is not a port"):
        WorkerOptions.from_environ({options.ENV_METRICS_PORT: text})
