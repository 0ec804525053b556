"""The catalog that job files are checked against, and the tool that writes it, beside the real libraries."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision

from fusionq.spec import catalog as module
from fusionq.spec.catalog import catalog, kind_of, signature_of
from fusionq.spec.kinds import KINDS, TARGET_PLACES, UNKNOWN
from fusionq.spec.signatures import read_signature
from tools.make_catalog import MODULES, compact, entries, signature

HERE = {"torch": torch.__version__, "torchvision": torchvision.__version__, "fusionq": ""}


def is_of_the_same_release(name: str) -> bool:
    package = name.partition(".")[0]
    known = module._read()["versions"].get(package, "")
    return known == HERE[package].split("+")[0]


@pytest.mark.parametrize("name", MODULES)
def test_kinds_and_signatures_are_those_of_the_library(name: str):
    """Of another release, each argument that a call needs: few of those ever change."""
    exactly = is_of_the_same_release(name)
    wrong = []
    for word, (kind, *short_form) in entries(name).items():
        if word not in catalog()[name] and not exactly:
            continue
        known, found = signature_of(f"{name}.{word}"), read_signature(*short_form) if short_form else None
        same = known == found if exactly or None in (known, found) else known.required == found.required
        if not same or kind_of(f"{name}.{word}") != kind:
            wrong.append(word)
    assert wrong == []


def test_every_kind_is_one_that_a_message_can_name():
    kinds = {kind_of(f"{name}.{word}") for name, words in catalog().items() for word in words}
    assert kinds == {*KINDS, UNKNOWN}


@pytest.mark.parametrize("path", TARGET_PLACES, ids=".".join)
def test_what_a_message_proposes_for_a_place_is_there(path: tuple[str, ...]):
    place = TARGET_PLACES[path]
    home = next(name for name in place.modules if place.usual in catalog()[name])
    assert place.takes(kind_of(f"{home}.{place.usual}"))
    assert getattr(importlib.import_module(home), place.usual)


def plain(a: Any, b: int = 1, *, c: int = 2, d: Any) -> None: ...


def any_more(a: Any, *rest: Any, c: int = 2, **others: Any) -> None: ...


class Quiet(torch.nn.Module):
    pass


@pytest.mark.parametrize(
    ("value", "short_form"),
    [
        (plain, "a b=# * c=# d"),
        (any_more, "a *rest c=# **others"),
        (Quiet, ""),
        (torch.nn.Sequential, "*args"),
        (torch.nn.Linear, "in_features# out_features# bias= device= dtype="),
        (torchvision.models.resnet18, "weights= progress= **kwargs"),
        (torchvision.models.ResNet18_Weights, None),
    ],
)
def test_a_signature_has_a_short_form(value: Callable[..., Any], short_form: str | None):
    assert signature(value) == short_form


@pytest.mark.parametrize("function", [plain, any_more])
def test_the_short_form_tells_what_the_signature_does(function: Callable[..., Any]):
    parameters = inspect.signature(function).parameters
    found = read_signature(compact(parameters.values(), {}))
    by_kind = {
        kind: [p.name for p in parameters.values() if p.kind is kind] for kind in inspect._ParameterKind
    }
    assert list(found.positional) == by_kind[inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert found.takes_any_positional == bool(by_kind[inspect.Parameter.VAR_POSITIONAL])
    assert found.takes_any_keyword == bool(by_kind[inspect.Parameter.VAR_KEYWORD])
    has_default = {name for name, p in parameters.items() if p.default is not p.empty}
    assert found.required == set(found.names) - has_default
