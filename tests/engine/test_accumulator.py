"""Sums that stay on the device: they do not depend on when they are read, and hold no graph."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusionq.engine.accumulator import Accumulator, RunningLoss
from tests.engine.graphs import Watched
from tests.engine.jobs import needs_gpu

NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32), max_size=30)


@settings(deadline=None)
@given(NUMBERS, st.sets(st.integers(0, 30)))
def test_the_sum_does_not_depend_on_when_it_is_read(numbers: list[float], reads: set[int]) -> None:
    often, once = Accumulator(), Accumulator()
    for i, number in enumerate(numbers):
        for some in (often, once):
            some.add(torch.tensor(number), weight=i + 1)
        if i in reads:
            often.total()
    assert often.total() == once.total()


@settings(deadline=None)
@given(NUMBERS, st.integers(0, 30))
def test_a_sum_that_was_saved_goes_on_to_the_same_bits(numbers: list[float], cut: int) -> None:
    whole, first, rest = Accumulator(), Accumulator(), Accumulator()
    for number in numbers:
        whole.add(torch.tensor(number))
    for number in numbers[:cut]:
        first.add(torch.tensor(number))
    rest.load_state_dict(first.state_dict())
    for number in numbers[cut:]:
        rest.add(torch.tensor(number))
    assert rest.total() == whole.total()
    assert rest.state_dict() == whole.state_dict()


def test_values_are_weighted_and_added_in_double_precision() -> None:
    some = Accumulator()
    for _ in range(10):
        some.add(torch.tensor(0.1), weight=3)
    assert some.total() == pytest.approx(10 * 3 * torch.tensor(0.1).item(), rel=1e-15)
    some.add(torch.tensor([[2]]))  # any shape of one element, any dtype that can stand beside the others
    assert some.total() == pytest.approx(5.0)
    some.reset()
    assert some.total() == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("is_read_between", [True, False])
def test_the_first_value_that_is_no_finite_number_is_known(bad: float, is_read_between: bool) -> None:
    some = Accumulator()
    assert some.first_non_finite() is None
    for i, value in enumerate([1.0, 2.0, 3.0, bad, 4.0, math.nan]):
        some.add(torch.tensor(value))
        if is_read_between:
            assert some.first_non_finite() == (3 if i >= 3 else None)
    assert some.first_non_finite() == 3
    some.reset()
    assert some.first_non_finite() is None


def test_counting_goes_on_after_a_resume() -> None:
    first, rest = Accumulator(), Accumulator()
    first.add(torch.tensor(1.0))
    first.add(torch.tensor(1.0))
    rest.load_state_dict(first.state_dict())
    rest.add(torch.tensor(math.nan))
    assert rest.first_non_finite() == 2


def test_the_graph_behind_a_loss_is_let_go_at_once() -> None:
    weights, layer, running_loss = torch.ones(3, requires_grad=True), Watched(), RunningLoss()
    loss = layer(weights * 2).sum() * 4
    assert layer.num_graphs == 1
    assert running_loss.add_(loss.cpu() * 1) is running_loss
    del loss
    assert layer.num_graphs == 0
    assert running_loss.total() == 24.0


def test_a_weight_is_the_same_as_a_product() -> None:
    one, other = RunningLoss(), RunningLoss()
    one.add_(torch.tensor(0.5), weight=64)
    other.add_(torch.tensor(0.5) * 64)
    assert one.total() == other.total() == 32.0


class TestOnAGpu:
    pytestmark = needs_gpu

    def test_adding_does_not_wait_for_the_device(self) -> None:
        value, some = torch.ones((), device="cuda"), Accumulator()
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(10):
                some.add(value)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert some.total() == 10.0
