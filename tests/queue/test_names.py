"""The names that workers of different versions must agree on."""

from __future__ import annotations

from fusionq.queue import names


def test_task_and_queue_names_are_spelled_so():
    assert names.SCHEDULE_TASK == "fusionq.schedule"
    assert names.RUN_TASK == "fusionq.run"
    assert names.EXEC_TASK == "fusionq.exec"
    assert names.SCHEDULE_QUEUE == "schedule"
    assert names.node_queue("gpu-box-2") == "node.gpu-box-2"
