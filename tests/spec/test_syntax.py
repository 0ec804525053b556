"""What is no YAML: said in words at its place, and no veil over the other mistakes."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import from_yaml
from tests.support import ONE_JOB


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        from_yaml(text, "j")
    return [str(problem).replace("is not valid YAML: ", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "a: b: c\n",
            "j:1:5: there cannot be a ':' here; the line is indented too deeply, or its text wants",
        ),
        ("a:\n  b: 1\n c: 2\n", "j:3:2: the indentation fits no block above"),
        ("a:\n  - x\n  y: 1\n", "j:3:3: the list above goes on with '- ', or the indentation is wrong"),
        ("name: x\nmodel: {a: 1\n", "j:2:8: this bracket is never closed"),
        ("a: [1, 2\nb: 3\n", "j:1:4: this bracket is never closed"),
        ("a: 'x\nb: 3\n", "j:1:4: this quote is never closed"),
        ("a: {_target_: Linear in_features: 1}\n", "j:1:33: a ',' or '}' is missing before this"),
        ("a: @x\n", "j:1:4: text cannot begin with this character; put it in quotes"),
        ("a: *x\n", "j:1:4: there is no anchor of this name above; put text that begins with * in quotes"),
        ("a: {b: ${X}}\n", "j:1:9: a ${VAR} between brackets wants quotes: '${VAR}'"),
        ("a: |\n x\nb\n", "j:4:1: the line before is no 'key: value'"),
        ("a: ]\n", "j:1:4: a value is missing here"),
        ("a: - b\n", "j:1:4: a list of '- ' begins on a line of its own"),
        ("a: \x07\n", "j:1:4: a text file holds no control character '\\x07'"),
    ],
)
def test_each_is_said_where_it_is(text, mistake):
    assert any(found.startswith(mistake) for found in mistakes_of(text))


def test_a_syntax_error_does_not_hide_the_other_mistakes():
    text = ONE_JOB + "tags: [a, b\ntrian: {epochs: 5}\nenv: 'x\ntimeout: soon\n"
    assert [mistake.split(";")[0] for mistake in mistakes_of(text)] == [
        "j:7:7: this bracket is never closed",
        "j:8:1: unknown key 'trian'",
        "j:9:6: this quote is never closed",
        "j:10:1: timeout: 'soon' is not a duration",
    ]


def test_what_a_part_that_cannot_be_read_may_hold_is_not_called_missing():
    text = ONE_JOB.replace("loss: {_target_: CrossEntropyLoss}", "loss: {_target_: CrossEntropyLoss")
    assert mistakes_of(text) == ["j:5:7: this bracket is never closed"]


def test_all_tabs_are_one_mistake_and_hide_nothing():
    text = ONE_JOB + "train:\n\tepochs: 1\n\tseed: 2\n\tepohcs: 3\n"
    assert [mistake.split(";")[0] for mistake in mistakes_of(text)] == [
        "j:8:1: a tab is used for indentation (in 3 lines)",
        "j:10:2: unknown key 'train.epohcs'",
    ]


def test_a_file_of_nothing_but_errors_ends():
    assert len(mistakes_of("a: [\n" * 500)) >= 1
    assert 1 <= len(mistakes_of("a: @\n" * 500)) <= 20
