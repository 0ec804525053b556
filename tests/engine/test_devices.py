"""Which device a model is trained on."""

from __future__ import annotations

import pytest
import torch

from fusionq.engine.devices import name_of, pick_device


@pytest.mark.parametrize(
    ("cuda", "mps", "environ", "expected"),
    [
        (True, False, {}, "cuda"),
        (False, True, {}, "mps"),
        (False, True, {"CUDA_VISIBLE_DEVICES": "apple-gpu"}, "mps"),
        (True, True, {"CUDA_VISIBLE_DEVICES": ""}, "cpu"),
        (False, False, {}, "cpu"),
    ],
)
def test_a_gpu_is_used_where_this_process_may(monkeypatch, cuda: bool, mps: bool, environ, expected: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device(environ=environ).type == expected
    assert pick_device(False, environ).type == "cpu"


def test_devices_have_names():
    assert name_of(torch.device("cpu")) == "cpu"
    assert name_of(torch.device("mps")) == "Apple GPU"
