"""Tables fit the terminal: ids stay whole, the last column is cut, and what matters least goes."""

from __future__ import annotations

import sys

import click
import pytest

from fusionq.cli import rows, tables

HEADERS = ["ID", "NAME", "AGE", "NOTE"]
ROWS = [["abcdefgh", "digits", "1m 20s", "x" * 300], ["ijklmnop", click.style("mnist", fg="red"), "2s", ""]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The lines that a terminal of so many columns shows; of a pipe for 0."""

    def show(columns: int, rows=ROWS) -> list[str]:
        if columns:
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
            monkeypatch.setenv("COLUMNS", str(columns))
        tables.print_table(HEADERS, rows, may_go=("AGE",))
        return [click.unstyle(line) for line in capsys.readouterr().out.splitlines()]

    return show


@pytest.mark.parametrize("columns", [10, 30, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_ids_stay_whole(shown, columns: int):
    lines = shown(columns)
    assert len(lines) == 3
    assert all(len(line) <= columns for line in lines)
    assert [line[:8] for line in lines[1:]] == ["abcdefgh", "ijklmnop"]


def test_the_last_column_is_cut_before_another_goes(shown):
    assert "AGE" in shown(60)[0]
    assert shown(60)[1].endswith("…")
    assert "AGE" not in shown(40)[0]


def test_in_a_pipe_nothing_is_cut(shown):
    assert "x" * 300 in shown(0)[1]


def test_a_column_that_is_empty_is_left_out(shown):
    assert shown(0, [["abcdefgh", "", "2s", ""]]) == ["ID        AGE", "abcdefgh  2s"]


def test_what_is_cut_keeps_its_colour_to_itself(monkeypatch: pytest.MonkeyPatch):
    (_, line) = tables.lines_of(["ID", "NOTE"], [["abcdefgh", click.style("x" * 90, fg="red")]], room=40)
    assert click.unstyle(line) == "abcdefgh  " + "x" * 29 + "…"
    assert line.endswith("\x1b[0m")


def test_wide_characters_take_two_cells_and_none_breaks_a_line():
    (_, *lines) = tables.lines_of(["ID", "NOTE"], [["漢字", "a\nb\x1b[2Jc"], ["abcd", "next"]])
    assert lines == ["漢字  a b\\x1b[2Jc", "abcd  next"]


@pytest.mark.parametrize(("columns", "kept"), [(100, "METRIC TIME LEFT AGE"), (80, "METRIC TIME")])
def test_of_the_table_of_jobs_the_note_goes_before_the_numbers(columns: int, kept: str):
    row = [
        "abcdefgh",
        "n" * 98,
        "succeeded",
        "ep 20/20 100 %",
        "best top1 0.97",
        "1m 20s",
        "2m 05s",
        "",
        "box",
    ]
    (head, line) = tables.lines_of(rows.HEADERS, [[*row, "3d 2h", "x" * 300]], rows.MAY_GO, columns)
    assert set(kept.split()) <= set(click.unstyle(head).split())
    assert len(click.unstyle(head)) <= columns
    assert len(line) <= columns
    assert line.startswith("abcdefgh  nnnnnnnnn")


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("ValueError: odd", "ValueError: odd"),
        ("\x1b[2Jgone\nand more", r"\x1b[2Jgone and more"),
        ("漢" * 50, "漢" * 34 + " …"),
    ],
)
def test_notes_without_a_column_stand_beneath_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys, note: str, shown: str
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    row = [
        "abcdefgh",
        "digits",
        "failed",
        "ep 20/20 100 %",
        "best test_top1 0.97",
        "1m 20s",
        "2m 05s",
        "",
        "box",
    ]
    monkeypatch.setattr(rows, "cells_of", lambda *_: [[*row, "3d 2h", note]])
    rows.print_rows([], {})
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert "NOTE" not in lines[0]
    assert lines[2] == f"abcdefgh  {shown}"


def test_a_column_that_was_cut_gets_the_room_that_another_left():
    (head, line) = tables.lines_of(
        ["ID", "NAME", "AGE"], [["abcd", "n" * 20, "a" * 30]], [("NAME", 6), "AGE"], room=30
    )
    assert click.unstyle(head).split() == ["ID", "NAME"]
    assert line == "abcd  " + "n" * 20


def test_a_column_that_went_is_there_again_where_a_wide_one_went_after_it():
    headers, row = ["ID", "AGE", "TIME", "METRIC"], ["abcd", "3d 2h", "1m 20s", "m" * 40]
    (head, line) = tables.lines_of(headers, [row], ["AGE", "TIME", "METRIC"], room=30)
    assert click.unstyle(head).split() == ["ID", "AGE", "TIME"]
    assert line == "abcd  3d 2h  1m 20s"
