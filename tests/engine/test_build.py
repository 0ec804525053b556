"""From `_target_` blocks to objects, and errors that name their place."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from fusionq.engine.build import build, find_target, takes
from fusionq.errors import TargetError
from fusionq.spec.targets import ARGS, TARGET

HERE = __name__


class Pair:
    Inner = int

    def __init__(self, *parts: Any, name: str = "") -> None:
        self.parts, self.name = parts, name


def angry(**_: Any) -> None:
    raise KeyError("inside\nmore")


def silent() -> None:
    raise AssertionError


def test_blocks_within_blocks_lists_and_keys_are_built() -> None:
    block = {
        TARGET: f"{HERE}.Pair",
        ARGS: [1, {TARGET: f"{HERE}.Pair"}, [{TARGET: f"{HERE}.Pair", "name": "deep"}], {"key": [2]}],
        "name": "outer",
    }
    built = build(block, "model")
    assert built.name == "outer"
    assert built.parts[0] == 1
    assert isinstance(built.parts[1], Pair)
    assert built.parts[2][0].name == "deep"
    assert built.parts[3] == {"key": [2]}


def test_what_is_given_comes_before_the_blocks_own_arguments() -> None:
    built = build({TARGET: f"{HERE}.Pair", ARGS: [2], "name": "own"}, "model", 1)
    assert (built.parts, built.name) == ((1, 2), "own")


def test_targets_may_be_classes_functions_and_attributes_of_classes() -> None:
    assert find_target("torch.nn.Linear", "model") is nn.Linear
    assert find_target(f"{HERE}.Pair.Inner", "model") is int
    assert find_target("torch.optim.lr_scheduler.StepLR", "lr_scheduler").__name__ == "StepLR"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch.nn.Linaer", r"model: torch.nn has no 'Linaer'; did you mean 'Linear'\?"),
        (f"{HERE}.Pair.Iner", r"model: .*Pair has no 'Iner'; did you mean 'Inner'\?"),
        ("no_such_package.Model", "model: there is no module 'no_such_package' on this worker; install it"),
        ("torch.no_such_module.Model", "model: torch has no 'no_such_module'"),
    ],
)
def test_a_target_that_is_not_there_is_named(name: str, words: str) -> None:
    with pytest.raises(TargetError, match=words) as caught:
        build({TARGET: name}, "model")
    assert caught.value.failure_class == "import_error"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({TARGET: "torch.nn.Linear", "in_featurs": 3}, "model: Linear: TypeError: .*'in_featurs'"),
        ({TARGET: "torch.nn.Linear", ARGS: [3, "ten"]}, "model: Linear: TypeError"),
        ({TARGET: f"{HERE}.angry", "x": 1}, r"model: angry: KeyError: 'inside\\nmore'$"),
        ({TARGET: f"{HERE}.silent"}, "model: silent: AssertionError$"),
        (
            {TARGET: "torch.nn.Sequential", ARGS: [{TARGET: "torch.nn.ReLU"}, {TARGET: f"{HERE}.silent"}]},
            "model._args_.1: silent: AssertionError$",
        ),
        (
            {TARGET: f"{HERE}.Pair", "name": {"deep": [{TARGET: f"{HERE}.silent"}]}},
            "model.name.deep.0: silent: AssertionError$",
        ),
        ({TARGET: "torch.nn"}, "model: torch.nn: TypeError: 'module' object is not callable"),
    ],
)
def test_an_error_within_a_constructor_is_named_with_its_place(block: dict[str, Any], words: str) -> None:
    with pytest.raises(TargetError, match=words) as caught:
        build(block, "model")
    assert caught.value.__cause__ is not None or "has no" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_dependency", "ModuleNotFoundError: No module named 'no_such_dependency'"),
        ("raise RuntimeError('no GPU here')", "importing users_own_module.Model: RuntimeError: no GPU here"),
        ("def f(:", "importing users_own_module.Model: SyntaxError"),
    ],
)
def test_a_users_module_that_cannot_be_imported_says_why(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users_own_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_own_module", raising=False)
    with pytest.raises(TargetError, match=words):
        build({TARGET: "users_own_module.Model"}, "model")


def test_whether_a_target_takes_a_word() -> None:
    assert takes(nn.Linear, "bias")
    assert not takes(nn.Linear, "fused")
    assert not takes(angry, "fused")
