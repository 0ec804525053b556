"""Reading YAML: what a scalar is, where it stood, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fusionq.errors import NotFoundError, SpecError
from fusionq.spec.reader import MAX_DEPTH, MAX_FILE_BYTES, read_file, read_text


def value_of(text: str, **environ: str) -> object:
    return read_text(f"key: {text}", "job.yaml", environ).data["key"]


def mistakes(text: str, **environ: str) -> list[str]:
    """What is wrong with a text, whether anything of it could be read or not."""
    try:
        problems = read_text(text, "job.yaml", environ).problems
    except SpecError as error:
        problems = error.problems
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("+7", 7),
        ("012", 12),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_a_plain_scalar_is_typed_as_yaml_1_2_says(text, value):
    read = value_of(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    ["on", "off", "yes", "No", "y", "1_000", "12:30:45", "2024-01-01", "1e", "e5", ".", "-", "=", "1.2.3"],
)
def test_what_only_yaml_1_1_takes_for_a_value_is_text(text):
    assert value_of(text if text != "-" else "'-'") == text


def test_not_a_number_is_a_number():
    assert math.isnan(value_of(".nan"))


@pytest.mark.parametrize("text", ["'1e-3'", '"true"', "'null'", "'12'", "|-\n  5"])
def test_a_quoted_scalar_is_text(text):
    assert isinstance(value_of(text), str)


def test_a_number_of_a_thousand_digits_does_not_end_the_program():
    assert value_of("9" * 5000) == math.inf


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_file_is_refused_with_an_example(text):
    (mistake,) = mistakes(text)
    assert mistake.startswith("job.yaml:1:1: the file is empty")


def test_a_key_that_stands_twice_is_refused_where_it_stands_again():
    assert mistakes("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n") == [
        "job.yaml:5:3: the key 'c' stands here twice; first in line 3"
    ]


def test_every_mistake_of_a_reading_is_reported_at_once():
    found = mistakes("a: ${NO}\na: 1\n? [x]\n: 2\n")
    assert [mistake.split(": ")[0] for mistake in found] == ["job.yaml:1:4", "job.yaml:2:1", "job.yaml:3:3"]


def test_a_tab_is_named_as_the_mistake():
    (mistake,) = mistakes("model:\n\t_target_: Linear\n")
    assert mistake.startswith("job.yaml:2:")
    assert "a tab is used for indentation" in mistake


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "a: *nobody", "'", "a: \x00"])
def test_what_is_not_yaml_is_refused(text):
    (mistake,) = mistakes(text)
    assert "is not valid YAML" in mistake


def test_a_second_document_is_refused_where_one_is_expected():
    assert mistakes("a: 1\n---\nb: 2\n") == ["job.yaml:3:1: a second document begins here; one is expected"]


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (mistake,) = mistakes("\n".join(lines))
    assert "too many values" in mistake


def test_an_alias_within_itself_is_refused():
    (mistake,) = mistakes("a: &a [*a]")
    assert "nested too deeply" in mistake


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_does_not_end_the_process(opening):
    (mistake,) = mistakes(opening * (MAX_FILE_BYTES // len(opening)))
    assert "nested too deeply" in mistake


def test_nesting_below_the_limit_is_read():
    data = read_text("[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1), "job.yaml").data
    for _ in range(MAX_DEPTH - 1):
        (data,) = data
    assert data == 1


def test_an_alias_is_read_as_a_copy():
    data = read_text("a: &x {k: [1]}\nb: *x\n", "job.yaml").data
    assert data["a"] == data["b"] == {"k": [1]}
    assert data["a"]["k"] is not data["b"]["k"]


def test_a_variable_is_replaced_before_the_scalar_is_typed():
    assert value_of("${N}", N="1e-3") == 0.001
    assert value_of("'${N}'", N="1e-3") == "1e-3"
    assert value_of("data/${A}-${B}", A="x", B="y") == "data/x-y"


def test_a_default_holds_only_where_the_variable_is_not_set():
    assert value_of("${N:-5}") == 5
    assert value_of("${N:-5}", N="6") == 6
    assert value_of("${N:-}") is None


def test_a_variable_that_is_not_set_is_a_mistake_with_a_place():
    (mistake,) = mistakes("a: 1\nb: [x, '${NOT_SET}']\n")
    assert mistake == (
        "job.yaml:2:8: the environment has no variable NOT_SET; set it, or write ${NOT_SET:-default}"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("$${N}", "${N}"), ("$$${N}", "$${N}"), ("$${N:-5}", "${N:-5}"), ("$N", "$N"), ("${1}", "${1}")],
)
def test_two_dollars_stand_for_the_text_itself(text, value):
    assert value_of(f"'{text}'", N="6") == value


def test_the_value_of_a_variable_is_not_replaced_again():
    assert value_of("${A}", A="${B}", B="x") == "${B}"


def test_every_value_has_the_place_of_its_key_or_item():
    source = read_text("model:\n  layers:\n    - {name: a}\n    - b\n", "job.yaml")
    assert source.where(()) == "job.yaml:1:1"
    assert source.where(("model", "layers")) == "job.yaml:2:3"
    assert source.where(("model", "layers", 0, "name")) == "job.yaml:3:8"
    assert source.where(("model", "layers", 1)) == "job.yaml:4:7"


def test_a_path_that_is_not_in_the_file_has_the_place_of_its_parent():
    source = read_text("model:\n  layers: 3\n", "job.yaml")
    assert source.where(("model", "width", "x")) == "job.yaml:1:1"
    assert source.where(("other",)) == "job.yaml:1:1"


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: x\r\n")
    assert [source.data for source in read_file(file)] == [{"name": "x"}]


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_bytes(b"name: x\ntags: [caf\xe9]\n")
    with pytest.raises(SpecError, match=r"job\.yaml:2:1: is not UTF-8 text"):
        read_file(file)


def test_text_that_cannot_be_utf_8_is_refused():
    assert mistakes("name: \udce9") == ["job.yaml: is not UTF-8 text"]


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path):
    with pytest.raises(NotFoundError, match="no such file") as caught:
        read_file(tmp_path / "job.yaml")
    assert caught.value.exit_code == 3


def test_a_folder_is_no_job_file(tmp_path: Path):
    with pytest.raises(SpecError, match="this is a folder"):
        read_file(tmp_path)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path):
    file = tmp_path / "job.yaml"
    file.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(SpecError, match="is larger than a job file may be"):
        read_file(file)
