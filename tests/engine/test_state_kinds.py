"""Every kind of value that a trainer may keep comes out of a checkpoint as it went in."""

from __future__ import annotations

import datetime
import enum
import itertools
import queue
import random
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import torch
from torch import nn

import fusionq as tf
from fusionq.engine.files import write_tensors
from fusionq.engine.state.checksum import checksum
from fusionq.engine.state.generators import find_generators, seed_generators
from fusionq.engine.state.own_state import TRAINER, OwnState
from fusionq.engine.state.tensors import pack, unpack

Point = namedtuple("Point", ["x", "y"])


class Phase(enum.Enum):
    BEGIN = "begin"
    LATER = "later"


class Zone(datetime.tzinfo):
    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(0)


class Keeper:
    """Says itself what its state is."""

    def state_dict(self) -> dict[str, int]:
        return {"number": 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.loaded = state


class Slotted:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Nothing:
    """A trainer-like owner of attributes."""

    def __init__(self) -> None:
        self.value: Any = None


def state_of(trainer: Any, warnings: list[str] | None = None, model: nn.Module | None = None) -> OwnState:
    warn = (warnings if warnings is not None else []).append
    return OwnState(model or nn.Linear(1, 1), {TRAINER: trainer}, {}, torch.device("cpu"), warn=warn)


def carried_over(old: OwnState, new: OwnState, folder: Path) -> None:
    """Through a file, as a checkpoint is."""
    own, shared = old.state_dict(is_first=True)
    write_tensors(folder / "state.pt", {"own": own, "shared": shared})
    state = torch.load(folder / "state.pt", weights_only=True)
    new.load_state_dict(state["own"], state["shared"])


def put_back(value: Any, folder: Path, before: Any = None) -> Any:
    old, new = Nothing(), Nothing()
    old.value, new.value = before, before
    state = state_of(old)
    state.begin()
    old.value = value
    carried_over(state, state_of(new), folder)
    return new.value


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


GENERATORS = {
    "torch": (lambda: torch.Generator().manual_seed(1), lambda g: torch.rand(3, generator=g).tolist()),
    "python": (lambda: random.Random(1), lambda g: [g.gauss(0, 1) for _ in range(3)]),
    "numpy": (lambda: np.random.default_rng(1), lambda g: g.normal(size=3).tolist()),
    "philox": (lambda: np.random.Generator(np.random.Philox(1)), lambda g: g.random(3).tolist()),
    "numpy of old": (lambda: np.random.RandomState(1), lambda g: g.randn(3).tolist()),
}


@pytest.mark.parametrize("which", GENERATORS)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_generator_goes_on_where_it_was(which: str, is_there: bool, tmp_path: Path) -> None:
    make, draw = GENERATORS[which]
    old, new = Nothing(), Nothing()
    old.value, new.value = make(), make() if is_there else None
    draw(old.value)
    built = new.value
    carried_over(state_of(old), state_of(new), tmp_path)
    assert draw(new.value) == draw(old.value)
    assert new.value is built or not is_there


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


class Drawing(torch.utils.data.Dataset):
    def __init__(self) -> None:
        self.first = random.Random(1)
        self.second = np.random.default_rng(1)
        self.third = np.random.RandomState(1)

    def draw(self) -> list[float]:
        return [generator.random() for generator in (self.first, self.second, self.third)]


def test_generators_of_data_that_a_trainer_holds_go_on_where_they_were(tmp_path: Path) -> None:
    old, new = Nothing(), Nothing()
    old.value, new.value = Drawing(), Drawing()
    old.value.draw()
    carried_over(state_of(old), state_of(new), tmp_path)
    assert new.value.draw() == old.value.draw()


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


# --- what cannot be kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda: (i for i in "ab"), "self.value (an open iterator, generator)"),
        (lambda: itertools.cycle([1]), "self.value (an open iterator, cycle)"),
        (lambda: iter(torch.utils.data.DataLoader([1, 2])), "self.value (an open iterator, _SingleProcess"),
        (lambda: {"a": [open(__file__)]}, "self.value['a'][0] (an open file)"),  # noqa: SIM115
        (lambda: random.SystemRandom(), "self.value (SystemRandom)"),
        (lambda: queue.Queue(), "self.value (Queue)"),
    ],
)
def test_what_cannot_be_saved_is_told_once_by_name(value: Any, said: str) -> None:
    warnings: list[str] = []
    owner = Nothing()
    owner.value = value()
    state = state_of(owner, warnings)
    state.state_dict(is_first=True)
    state.state_dict(is_first=True)
    assert len(warnings) == 1
    assert said in warnings[0]


def test_code_and_what_is_written_to_is_not_complained_of(tmp_path: Path) -> None:
    warnings: list[str] = []
    owner = Nothing()
    with (tmp_path / "log").open("w") as log:
        owner.value = [lambda: 1, owner.__init__, nn, log, print, object(), torch.no_grad]
        state_of(owner, warnings).state_dict(is_first=True)
    assert warnings == []


def test_an_optimizer_made_after_the_beginning_is_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    owner, new = Nothing(), Nothing()
    state = state_of(owner, warnings)
    state.begin()
    owner.value = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    carried_over(state, state_of(new, warnings), tmp_path)
    assert "self.value (SGD, made after __init__)" in warnings[0]
    assert "self.value (SGD)" in warnings[1]


def test_a_time_in_a_zone_of_the_users_own_is_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    owner, new = Nothing(), Nothing()
    state = state_of(owner, warnings)
    state.begin()
    owner.value = datetime.datetime(2024, 1, 1, tzinfo=Zone())
    carried_over(state, state_of(new), tmp_path)
    assert "self.value[1] (Zone)" in warnings[0]
    assert new.value is None


@pytest.mark.parametrize("there", [None, Slotted()])
def test_a_state_that_nobody_takes_is_told(there: Any, tmp_path: Path) -> None:
    warnings: list[str] = []
    old, new = Nothing(), Nothing()
    old.value, new.value = Keeper(), there
    carried_over(state_of(old), state_of(new, warnings), tmp_path)
    assert new.value is there
    assert "no place for: self.value (Keeper)" in warnings[0]


class Odd:
    """Its attributes cannot be looked at."""

    @property
    def __dict__(self) -> dict[str, Any]:
        raise RuntimeError("not mine")


def test_an_object_that_cannot_be_looked_at_ends_nothing() -> None:
    warnings: list[str] = []
    owner = Nothing()
    owner.value, owner.next = Odd(), 3
    state_of(owner, warnings).state_dict(is_first=True)
    assert "self.value (Odd" in warnings[0]


# --- the parts -------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("which", GENERATORS)
def test_the_generators_of_a_data_set_are_seeded_for_each_sample(which: str) -> None:
    make, draw = GENERATORS[which]
    data = SimpleNamespace(inner=Nothing(), images=torch.zeros(3))
    data.inner.value = {"noise": make(), "more": [make()]}
    found = find_generators(data)
    assert len(found) == 2
    seed_generators(found, 1, 2)
    drawn = [draw(generator) for generator in found]
    seed_generators(found, 1, 3)
    assert draw(found[0]) != drawn[0] != drawn[1]
    seed_generators(found, 1, 2)
    assert [draw(generator) for generator in found] == drawn
