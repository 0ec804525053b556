"""How a mistake looks in its file."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import from_yaml
from fusionq.spec.places import MOST_COLUMNS, Place, Text
from tests.support import ONE_JOB


def excerpt_of(text: str, line: int, column: int, length: int = 1) -> list[str]:
    return Place("f", line, column, length, length, Text("f", text)).excerpt().split("\n")


def test_the_caret_stands_under_the_mistake_and_the_line_before_is_shown():
    assert excerpt_of("a: 1\nbb: xyz\n", 2, 5, 3) == ["  1 | a: 1", "  2 | bb: xyz", "    |     ^^^"]


def test_an_empty_line_before_is_left_out():
    assert excerpt_of("\nb: 1\n", 2, 1) == ["  2 | b: 1", "    | ^"]


def test_line_numbers_of_another_width_keep_the_columns():
    text = "\n" * 8 + "a: 1\nb: 2\n"
    assert excerpt_of(text, 10, 1) == ["   9 | a: 1", "  10 | b: 2", "     | ^"]


def test_wide_characters_and_tabs_do_not_move_the_caret():
    assert excerpt_of("数: x\n", 1, 4) == ["  1 | 数: x", "    |     ^"]
    assert excerpt_of("\ta: x\n", 1, 2) == ["  1 |  a: x", "    |  ^"]


def test_of_a_long_line_the_part_around_the_mistake_is_shown():
    shown, caret = excerpt_of("x" * 500 + "!" + "y" * 500, 1, 501)
    assert len(shown) < MOST_COLUMNS + 10
    assert shown[caret.index("^")] == "!"


def test_a_mark_never_runs_past_its_line():
    assert excerpt_of("ab\n", 1, 2, 99)[-1] == "    |  ^"
    assert excerpt_of("ab\n", 2, 1)[-1] == "    | ^"


def test_what_has_no_lines_has_no_excerpt():
    assert Place("override 'a=1'").excerpt() == ""
    assert str(Place("override 'a=1'")) == "override 'a=1'"


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("trian: {epochs: 5}", "trian"),
        ("timeout: soon", "timeout: soon"),
        ("train: {epochs: 0, seed: 1}", "epochs: 0"),
        ("tags: [a, []]", "[]"),
    ],
)
def test_a_wrong_key_is_marked_alone_and_a_wrong_value_with_its_key(line, marked):
    with pytest.raises(SpecError) as caught:
        from_yaml(ONE_JOB + line)
    (problem,) = caught.value.problems
    *_, shown, caret = problem.excerpt.split("\n")
    assert shown[caret.index("^") : caret.rindex("^") + 1] == marked


def test_what_is_missing_in_the_whole_file_shows_no_line():
    with pytest.raises(SpecError) as caught:
        from_yaml(ONE_JOB.replace("loss: {_target_: CrossEntropyLoss}\n", ""))
    (problem,) = caught.value.problems
    assert problem.excerpt == ""
    assert problem.full() == str(problem)
