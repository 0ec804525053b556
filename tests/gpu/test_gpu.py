"""The same checks as tests: with a GPU all of them, without one those that show that the checks work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.gpu.checks import (
    CHECKS,
    Check,
    a_share_is_kept_to,
    data_lies_on_the_device,
    free_means_free,
)
from tests.gpu.world import NotHere, World

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("gpu"), on_cpu=not torch.cuda.is_available())
    yield world
    world.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_on_a_gpu(world: World, check: Check) -> None:
    try:
        check(world)
    except NotHere as error:
        pytest.skip(str(error))


@pytest.mark.skipif(torch.cuda.is_available(), reason="made on the GPU")
@pytest.mark.parametrize("check", [data_lies_on_the_device, free_means_free], ids=lambda c: c.__name__)
def test_the_checks_work_without_one(world: World, check: Check) -> None:
    assert check(world)


@pytest.mark.skipif(torch.cuda.is_available(), reason="made on the GPU")
def test_what_cannot_be_checked_says_why(world: World) -> None:
    with pytest.raises(NotHere, match="needs a GPU"):
        a_share_is_kept_to(world)
