"""`key.path=value` on top of a job file."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import check
from fusionq.spec.overrides import OptionOverride, apply_overrides, overridden, override_text
from fusionq.spec.reader import Source, read_text
from fusionq.spec.secrets import MASK
from tests.support import ONE_JOB


def override(text: str, *overrides: str, **environ: str) -> Source:
    return apply_overrides(read_text(text, "job.yaml", {}), overrides, environ)


def mistakes(text: str, *overrides: str) -> list[str]:
    return [str(problem) for problem in override(text, *overrides).problems]


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


@pytest.mark.parametrize(
    "value", ["5", "größe", "🐫 2", 'a "word": #1, [x]', 5, 1e-5, True, None, ["🐫", 1], {"k": "é"}]
)
def test_a_value_of_a_program_is_written_so_that_it_is_read_as_it_was(value):
    assert override("a: 1", override_text("a", value)).data == {"a": value}


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
    assert mistakes("a: 1", text) == [
        f"override {text!r}: write key.path=value, such as optimizer.lr=1e-2, or ~key.path"
    ]


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
    ["train.epochs=0", "train.epohcs=1", "trian.epochs=1", "trian.deep.er=1", "loss=L7Loss", "env={A: [1]}"],
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


def test_a_key_and_an_item_can_be_taken_away():
    assert override("{a: 1, b: {c: 1, d: 2}}", "~a", "~b.c").data == {"b": {"d": 2}}
    assert override("a: [1, 2, 3]", "~a.1").data == {"a": [1, 3]}
    assert override("a: 1", "~a", "a=2").data == {"a": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("~epohcs", "there is no 'epohcs' to remove; did you mean 'epochs'?"),
        ("~x.y", "there is no 'x' to remove; valid here: epochs, list"),
        ("~list.5", "'5' is not an item of this list; it has items 0 to 0"),
        ("~epochs.x", "there is nothing below 'x': its parent is a plain value"),
    ],
)
def test_what_is_not_there_cannot_be_taken_away(text, words):
    assert mistakes("{epochs: 1, list: [1]}", text) == [f"override {text!r}: {words}"]


def test_items_behind_one_that_was_taken_away_are_found_in_their_list():
    with pytest.raises(SpecError) as caught:
        check(override(ONE_JOB + "tags:\n  - a\n  - '?'\n", "~tags.0"))
    (problem,) = caught.value.problems
    assert problem.where == "job.yaml:7:1"


def test_a_plus_adds_to_a_list():
    assert override("tags: [a]", "tags+=b", "tags+=[c, 2]").data == {"tags": ["a", "b", "c", "2"]}
    assert override("a: 1", "list+=x").data == {"a": 1, "list": ["x"]}
    assert override("a: [{b: [x]}]", "a.0.b+=y").data == {"a": [{"b": ["x", "y"]}]}
    assert mistakes("a: {b: 1}", "a+=x") == ["override 'a+=x': a is a block and no list"]


def test_a_mistake_of_an_option_names_the_option():
    source = apply_overrides(read_text("a: 1", "job.yaml"), [OptionOverride("a.b=1", shown="--b")], {})
    assert str(source.problems[0]).startswith("--b: ")


# --- text that looks like something else ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", "4"),
        ("true", "true"),
        ("3.10", "3.10"),
        ("1e-3", "1e-3"),
        ("#x", "#x"),
        ("a: b #c", "a: b #c"),
        ("it's", "it's"),
        ("", ""),
        ("'4'", "4"),
        ("${N}", "7"),
    ],
)
def test_a_variable_of_the_environment_is_text_as_it_is_written(text: str, value: str):
    assert override("a: 1", f"env.X={text}", N="7").data["env"] == {"X": value}


def test_numbers_of_a_grid_over_text_are_text():
    source = override("a: 1", "env.X=1,2.50", "tags=[2026, 1.0]", "name=3.10")
    assert source.data["sweep"] == {"params": {"env.X": ["1", "2.50"]}}
    assert (source.data["tags"], source.data["name"]) == (["2026", "1.0"], "3.10")


@pytest.mark.parametrize("text", ["1e-2,", ",1", "3,,4"])
def test_a_missing_value_of_a_grid_is_told(text: str):
    (mistake,) = mistakes("a: 1", f"a={text}")
    assert mistake.endswith("a value is missing beside a comma; text that holds commas wants quotes")


def test_a_value_that_begins_like_a_comment_is_text():
    assert override("a: 1", "a=#x").data == {"a": "#x"}


def test_nothing_is_told_as_such():
    with pytest.raises(SpecError) as caught:
        check(override(ONE_JOB, "train.epochs=", "env.X=null"))
    assert sorted(problem.message for problem in caught.value.problems) == [
        "env.X: expected text, but there is no value; write '' for empty text, "
        "or 'null' in quotes for the word",
        "train.epochs: expected a whole number, but there is no value",
    ]


def test_what_overrides_set_is_known_by_its_keys_but_for_options_and_the_environment():
    data = {
        "optimizer": {"lr": 0.1},
        "tags": ["a"],
        "env": {"API_KEY": "x"},
        "model": {"_args_": [{"out": 5}]},
    }
    words = ["optimizer.lr=1e-1", "model._args_.0.out=5", "env.API_KEY=x", "~loss", "tags+=a"]
    words.append(OptionOverride("name=mine", shown="--name mine"))
    assert overridden(words, data) == {"optimizer.lr": 0.1, "model._args_.0.out": 5, "tags": ["a"]}


def test_secrets_in_blocks_that_overrides_set_are_not_kept():
    data = {"env": {"API_KEY": "x"}, "trainer": {"api_key": "hunter22"}, "model": {"token_dim": 8}}
    words = ["env={API_KEY: x}", "trainer={api_key: hunter22}", "model.token_dim=8"]
    assert overridden(words, data) == {"trainer": {"api_key": MASK}, "model.token_dim": 8}
