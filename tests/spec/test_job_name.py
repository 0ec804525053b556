"""Jobs are called what people call them, in any script."""

from __future__ import annotations

import unicodedata

import pytest

from fusionq.errors import SpecError
from fusionq.spec.job_name import check_name, name_of_file
from fusionq.spec.load import from_yaml
from tests.support import ONE_JOB


@pytest.mark.parametrize("name", ["größe", "实验 2", "дом", "हिन्दी", "R²=0.9", "a/b:c@d+e"])
def test_letters_of_any_script_make_a_name(name: str):
    assert check_name(name) == name
    assert check_name(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("-x", "name: '-x' begins with '-'; a name begins with a letter or a digit"),
        (" x", "name: ' x' begins with ' '; a name begins with a letter or a digit"),
        ("a*b", "name: 'a*b' holds '*'; a name is made of letters and digits of any script"),
    ],
)
def test_what_is_no_name_is_told_in_a_sentence(name: str, words: str):
    with pytest.raises(SpecError) as caught:
        from_yaml(ONE_JOB.replace("name: tiny", f"name: '{name}'"))
    assert caught.value.problems[0].message.startswith(words)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("übung.yaml", "übung"),
        ("day/résumé v2.yaml", "résumé v2"),
        ("дом.yaml", "дом"),
        ("a?b.yaml", "a-b"),
        ("--.yaml", "job"),
        ("x" * 200 + ".yaml", "x" * 90),
    ],
)
def test_a_job_is_called_like_its_file(file: str, name: str):
    assert name_of_file(file) == name
