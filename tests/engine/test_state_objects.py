"""Objects that are shared, unchanged, large, or made while training, through a checkpoint."""

from __future__ import annotations

import datetime
from collections import deque
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch
from torch import nn

import fusionq as tf
from fusionq.engine.state.checksum import checksum
from fusionq.engine.state.tensors import pack, unpack
from tests.engine.states import Nothing, Phase, Point, Slotted, carried_over, state_of


def test_what_was_one_object_is_one_object_again(tmp_path: Path) -> None:
    old, new = Nothing(), Nothing()
    one = [torch.ones(2)]
    old.value = {"a": one, "b": one, "first": one[0]}
    old.value["self"] = old.value
    carried_over(state_of(old), state_of(new), tmp_path)
    assert new.value["a"] is new.value["b"]
    assert new.value["first"] is new.value["a"][0]
    assert new.value["self"] is new.value


def test_two_that_were_one_at_the_beginning_may_part(tmp_path: Path) -> None:
    old, new = Nothing(), Nothing()
    for owner in (old, new):
        owner.value = owner.other = torch.zeros(2)
    state = state_of(old)
    state.begin()
    old.other = torch.ones(2)
    carried_over(state, state_of(new), tmp_path)
    assert new.value.tolist() == [0, 0]
    assert new.other.tolist() == [1, 1]


def test_parameters_stay_those_that_the_optimizer_steps(tmp_path: Path) -> None:
    def build() -> Nothing:
        owner = Nothing()
        owner.model = nn.Linear(2, 2)
        owner.free = torch.zeros(2, requires_grad=True)
        owner.head = nn.Linear(2, 1)
        owner.alias = owner.head.weight
        owner.of_model = [owner.model.weight]
        owner.optimizer = torch.optim.Adam([owner.free, *owner.head.parameters()], lr=0.5)
        return owner

    old, new = build(), build()
    state = state_of(old, model=old.model)
    state.begin()
    (old.head(old.free).sum() + old.free.sum()).backward()
    old.optimizer.step()
    carried_over(state, state_of(new, model=new.model), tmp_path)
    assert new.alias is new.head.weight
    assert new.of_model[0] is new.model.weight
    assert new.optimizer.param_groups[0]["params"][0] is new.free
    assert torch.equal(new.free.grad, old.free.grad)
    for owner in (old, new):
        owner.optimizer.step()
    assert torch.equal(old.free, new.free)
    assert torch.equal(old.head.weight, new.head.weight)


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"epochs": 10}, {"epochs": 40}),
        (Path("old"), Path("new")),
        (Phase.BEGIN, Phase.LATER),
        (Point(1, "a"), Point(2, "a")),
        ([datetime.date(2024, 1, 1)], [datetime.date(2025, 1, 1)]),
        (datetime.datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC")), None),
        (frozenset({1, "a"}), frozenset()),
        (deque([1], maxlen=2), deque([1], maxlen=3)),
        (slice(1, 2), range(3)),
        (b"a", bytearray(b"a")),
        (torch.float16, torch.device("cpu")),
        (np.float32(0.5), np.float64(0.5)),
        (nn.ReLU, nn.GELU),
        (10**5000, 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_job_file_gave_and_nobody_changed_stays_what_it_says_now(
    then: Any, now: Any, tmp_path: Path
) -> None:
    old, new = Nothing(), Nothing()
    old.value, new.value = then, now
    old.count, new.count = 10**100, 10**100
    state = state_of(old)
    state.begin()
    old.count += 3
    carried_over(state, state_of(new), tmp_path)
    assert new.value is now
    assert new.count == 10**100 + 3


def test_large_data_that_did_not_change_are_not_written(tmp_path: Path) -> None:
    old, new = Nothing(), Nothing()
    for owner in (old, new):
        owner.value = torch.arange(1 << 18)
        owner.moving = torch.arange(1 << 18)
    state = state_of(old)
    state.begin()
    old.moving[7] = -1
    carried_over(state, state_of(new), tmp_path)
    assert (tmp_path / "state.pt").stat().st_size < 1.5 * old.moving.nbytes
    assert new.moving[7] == -1
    assert new.value[7] == 7


def test_objects_made_while_training_are_made_again(tmp_path: Path) -> None:
    old, new = Nothing(), Nothing()
    state = state_of(old)
    state.begin()
    old.value = Slotted()
    old.value.count = 4
    old.many = deque(Point(torch.full((2,), float(i)), i) for i in range(3))
    carried_over(state, state_of(new), tmp_path)
    assert new.value.count == 4
    assert [point.x.tolist() for point in new.many] == [[0, 0], [1, 1], [2, 2]]


def test_a_torchmetric_keeps_what_it_has_seen(tmp_path: Path) -> None:
    torchmetrics = pytest.importorskip("torchmetrics")
    old, new = Nothing(), Nothing()
    for owner in (old, new):
        owner.value = torchmetrics.MeanSquaredError()
        owner.ours = tf.Accuracy()
    old.value.update(torch.ones(3), torch.zeros(3))
    old.ours.update(torch.eye(3), torch.tensor([0, 1, 1]))
    carried_over(state_of(old), state_of(new), tmp_path)
    assert new.value.compute() == 1
    assert new.value.update_count == 1
    assert new.ours.result() == old.ours.result()


def test_many_tensors_are_packed_into_few() -> None:
    tensors = [torch.randn(i % 5, 2) for i in range(100)] + [torch.randn(10_000)[:5000], torch.tensor(1)]
    packed = pack(tensors)
    assert len(packed["alone"]) == 1
    assert len(packed["packed"]) == 2
    assert all(map(torch.equal, tensors, unpack(packed)))


def test_a_checksum_tells_places_and_bits_apart() -> None:
    tensor = torch.arange(3_000_001, dtype=torch.uint8)
    others = [tensor.clone() for _ in range(3)]
    others[0][[5, 6]] = others[0][[6, 5]]
    others[1][2_500_000] += 1
    others[2] = others[2].roll(1 << 20)
    sums = [checksum([one]) for one in (tensor, *others)]
    assert len(set(sums)) == 4
    assert checksum([tensor.clone()]) == sums[0]
    assert checksum([torch.zeros(2), torch.ones(2)]) != checksum([torch.ones(2), torch.zeros(2)])
    assert checksum([torch.zeros(2)]) != checksum([torch.zeros(3)])
