"""`key.path=value` on top of a job file."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import check
from fusionq.spec.overrides import apply_overrides
from fusionq.spec.reader import Source, read_text
from tests.support import ONE_JOB


def override(text: str, *overrides: str, **environ: str) -> Source:
    return apply_overrides(read_text(text, "job.yaml", {}), overrides, environ)


def mistakes(text: str, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        override(text, *overrides)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-2", 0.01),
        ("5", 5),
        ("on", "on"),
        ("'5'", "5"),
        ("[1, a]", [1, "a"]),
        ("{k: 1}", {"k": 1}),
        ("", None),
    ],
)
def test_a_value_is_read_like_one_in_a_file(text, value):
    assert override("a: 1", f"a={text}").data == {"a": value}


def test_a_path_leads_through_blocks_and_lists():
    source = override("model: {_args_: [{p: 1}, {p: 2}]}", "model._args_.1.p=3", "new.block.key=x=y")
    assert source.data == {"model": {"_args_": [{"p": 1}, {"p": 3}]}, "new": {"block": {"key": "x=y"}}}


def test_a_null_section_becomes_a_block():
    assert override("train: null", "train.epochs=5").data == {"train": {"epochs": 5}}


def test_the_last_override_of_a_key_holds():
    assert override("a: 1", "a=2", "a=3").data == {"a": 3}


def test_the_source_itself_does_not_change():
    source = read_text("a: {b: 1}", "job.yaml")
    apply_overrides(source, ["a.b=2"], {})
    assert source.data == {"a": {"b": 1}}


def test_variables_are_replaced():
    assert override("a: 1", "a=${N}", N="5").data == {"a": 5}


@pytest.mark.parametrize("text", ["a", "=5", ".=5", ""])
def test_an_override_without_a_key_or_a_sign_is_refused(text):
    assert mistakes("a: 1", text) == [f"override {text!r}: write key.path=value, such as optimizer.lr=1e-2"]


@pytest.mark.parametrize("step", ["2", "-1", "x", "²", ""])
def test_an_item_that_a_list_does_not_have_is_refused(step):
    (mistake,) = mistakes("a: [1, 2]", f"a.{step}=5")
    assert mistake == f"override 'a.{step}=5': {step!r} is not an item of this list; it has items 0 to 1"


def test_nothing_lies_below_a_plain_value():
    (mistake,) = mistakes("a: 1", "a.b.c=5")
    assert mistake == "override 'a.b.c=5': there is nothing below 'b': its parent is a plain value"


def test_every_wrong_override_is_reported_at_once():
    assert len(mistakes("a: 1", "x", "a.b=1", "a=[")) == 3


@pytest.mark.parametrize(
    "wrong",
    ["train.epochs=0", "train.epohcs=1", "trian.epochs=1", "trian.deep.er=1", "loss=L7Loss", "env={A: 1}"],
)
def test_a_wrong_value_from_an_override_is_told_as_such(wrong):
    with pytest.raises(SpecError) as caught:
        check(override(ONE_JOB, wrong))
    (problem,) = caught.value.problems
    assert problem.where == f"override {wrong!r}"


def test_a_mistake_beside_an_override_keeps_its_place_in_the_file():
    with pytest.raises(SpecError) as caught:
        check(override(ONE_JOB + "train: {epochs: 0}\n", "train.seed=1"))
    (problem,) = caught.value.problems
    assert problem.where == "job.yaml:7:9"
