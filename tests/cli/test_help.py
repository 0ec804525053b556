"""Every verb is listed, documented and where its name says."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import click
import pytest

from fusionq.cli import app
from fusionq.cli.app import ALIASES, FUNCTIONS, MEANT, VERBS
from tests.cli.conftest import Cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_a_function_of_its_own_name_with_a_help(verb: str):
    command = getattr(importlib.import_module(f"fusionq.cli.{verb}"), FUNCTIONS.get(verb, verb))
    assert isinstance(command, click.Command)
    assert command.name == verb
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{verb} {parameter.opts[0]}"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself(cli: Cli, verb: str):
    done = cli(verb, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: fusionq {verb}" in done.out
    assert "--redis-url" in done.out
    assert f"  fusionq {verb}" in done.out or f"(fusionq {verb}" in done.out, "an example"
    assert cli(verb, "-h").out == done.out


def test_every_module_with_a_verb_is_listed():
    modules = Path(app.__file__).parent.glob("*.py")
    found = {path.stem for path in modules if re.search(r"^@verb$", path.read_text(), re.MULTILINE)}
    assert found == set(VERBS)


def test_the_help_lists_every_verb_with_its_line(cli: Cli):
    shown = " ".join(cli("--help").out.split())
    for verb, words in VERBS.items():
        assert f"{verb} {words}" in shown


def test_a_verb_has_one_line_that_is_a_sentence():
    for words in VERBS.values():
        assert words[0].isupper()
        assert words.endswith(".")
        assert len(words) < 80


def test_an_alias_is_another_word_for_a_verb(cli: Cli):
    assert set(ALIASES.values()) <= set(VERBS)
    assert cli("ps", "-q").code == 0


def test_without_a_verb_the_help_is_shown(cli: Cli):
    done = cli()
    assert done.code in (0, 2)
    assert "Commands:" in done.out + done.err


def test_the_reference_says_what_the_commands_say():
    place = importlib.util.spec_from_file_location(
        "make_command_docs", ROOT / "tools" / "make_command_docs.py"
    )
    assert place is not None
    assert place.loader is not None
    tool = importlib.util.module_from_spec(place)
    place.loader.exec_module(tool)
    assert (ROOT / "docs" / "commands.md").read_text() == tool.text(), "run tools/make_command_docs.py"


@pytest.mark.parametrize(("word", "verb"), [("start", "release"), ("gpus", "workers"), ("remove", "clean")])
def test_a_word_of_other_queues_is_answered_by_its_meaning(cli: Cli, word: str, verb: str):
    assert cli(word).err == f"fusionq: no such command {word!r}; did you mean {verb!r}?\n"


def test_what_is_meant_by_other_words_is_there():
    assert set(MEANT.values()) <= set(VERBS)
    assert not set(MEANT) & (set(VERBS) | set(ALIASES))


def test_help_explains_a_command_of_a_command(cli: Cli):
    assert cli("help", "queue", "pause").out == cli("queue", "pause", "--help").out
    assert cli("help").out == cli("--help").out
    assert cli("help", "nothing").code == 2


def test_the_version_is_told_in_every_spelling(cli: Cli):
    assert cli("version").out == cli("-V").out == cli("--version").out


def test_common_options_may_stand_before_the_verb(cli: Cli):
    assert cli("--redis-url", "redis://127.0.0.1:1", "status").code == 6
