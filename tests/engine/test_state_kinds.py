"""Every kind of value that a trainer may keep comes out of a checkpoint as it went in."""

from __future__ import annotations

import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch

from tests.engine.states import Phase, Point, put_back


@pytest.mark.parametrize(
    "value",
    [
        1,
        True,
        2**100,
        -(10**5000),
        {"a": [10**5001]},
        -0.0,
        float("inf"),
        "ä\n",
        1 + 2j,
        b"\x00\xff",
        bytearray(b"a"),
        [1, [2.5, None]],
        (1, (2,)),
        {"a": {1: (2,)}, (1, 2): [3]},
        {1, 2},
        frozenset({3}),
        OrderedDict(b=1, a=2),
        Counter("aab"),
        Point(1, [2]),
        Phase.LATER,
        Path("/some/where"),
        datetime.datetime(2024, 1, 2, 3, tzinfo=datetime.UTC),
        datetime.timedelta(seconds=1.5),
        SimpleNamespace(a=1),
        slice(1, 2),
        slice(None, np.int64(3), 10**5000),
        datetime.datetime(2024, 1, 2, tzinfo=ZoneInfo("Europe/Berlin")),
        ZoneInfo("UTC"),
        range(3),
        np.float32(0.1),
        np.bool_(True),
        torch.float16,
        torch.device("cpu"),
        torch.Size([2, 3]),
        len,
        Point,
    ],
    ids=lambda value: f"{type(value).__name__}",
)
def test_a_value_comes_back_as_it_was(value: Any, tmp_path: Path) -> None:
    found = put_back(value, tmp_path)
    assert found == value
    assert type(found) is type(value)


def test_deques_and_defaults_keep_what_they_are(tmp_path: Path) -> None:
    found = put_back(deque([1, 2], maxlen=2), tmp_path)
    found.append(3)
    assert list(found) == [2, 3]
    lists = put_back(defaultdict(list, a=[1]), tmp_path)
    lists["b"].append(2)
    assert lists == {"a": [1], "b": [2]}


class Scores(list):
    best = 0.0


class Recent(deque):
    def __init__(self, maxlen: int = 2) -> None:
        super().__init__(maxlen=maxlen)
        self.seen: list[int] = []


class Table(dict):
    __slots__ = ("rows",)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_container_keeps_its_own_attributes(is_there: bool, tmp_path: Path) -> None:
    scores, recent, table = Scores([1]), Recent(), Table(a=1)
    scores.best, table.rows = 0.5, [2]
    recent.extend([1, 2, 3])
    recent.seen.append(3)
    before = [Scores(), Recent(), Table()] if is_there else None
    found = put_back([scores, recent, table], tmp_path, before)
    assert found == [[1], deque([2, 3]), {"a": 1}]
    assert [type(one) for one in found] == [Scores, Recent, Table]
    assert (found[0].best, found[1].seen, found[2].rows) == (0.5, [3], [2])
    assert found[1].maxlen == 2


@pytest.mark.parametrize(
    "value",
    [
        torch.randn(3, 4),
        torch.randn(5000),
        torch.tensor(3),
        torch.arange(4, dtype=torch.int16)[1:3],
        torch.randn(2, 2).to(torch.bfloat16),
        torch.tensor([True, False]),
        torch.eye(3).to_sparse(),
        torch.zeros(0, 2),
    ],
    ids=lambda tensor: f"{tensor.dtype} {tuple(tensor.shape)} {tensor.layout}",
)
def test_a_tensor_comes_back_bit_for_bit(value: torch.Tensor, tmp_path: Path) -> None:
    found = put_back([value], tmp_path)[0]
    assert found.dtype == value.dtype
    assert torch.equal(found.to_dense(), value.to_dense())


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6).reshape(2, 3),
        np.array([1.5], dtype=">f8"),
        np.array(["a", "bc"]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([None, "x"], dtype=object),
        np.zeros((0, 3)),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_comes_back_bit_for_bit(value: np.ndarray, tmp_path: Path) -> None:
    found = put_back(value, tmp_path)
    assert (found.dtype, found.shape) == (value.dtype, value.shape)
    assert found.tolist() == value.tolist()
