"""Every key of the job file is described, out of the model itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from fusionq.spec.describe import ANY_NAME, Key, inline, keys
from fusionq.spec.examples import EXAMPLES
from fusionq.spec.job import JobSpec

ROOT = Path(__file__).parents[2]
KEYS = {key.dotted: key for key in keys()}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_has_a_sentence_and_a_type(key: Key):
    assert key.description.endswith((".", ":")), key.description
    assert key.type_text


@pytest.mark.parametrize(
    "key", [key for key in KEYS.values() if not key.is_section], ids=lambda key: key.dotted
)
def test_a_key_has_a_value_to_show(key: Key):
    has_keys_of_its_own = any(name.startswith(f"{key.dotted}.") for name in KEYS)
    assert has_keys_of_its_own or key.example not in (None, [], {}), "add it to fusionq/spec/examples.py"


def test_there_is_no_example_for_a_key_that_is_gone():
    assert set(EXAMPLES) <= set(KEYS)


def test_every_key_of_the_model_is_there():
    for name, field in JobSpec.model_fields.items():
        assert name in KEYS
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert KEYS[name].is_section
            for inner in field.annotation.model_fields:
                assert f"{name}.{inner}" in KEYS


def test_sections_within_a_choice_or_a_block_of_names_are_walked_too():
    assert {"code.path", "sweep.trials", f"sweep.params.{ANY_NAME}.loguniform"} <= set(KEYS)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("train.epochs", "whole number from 1, default 10"),
        ("train.ema", "number above 0 and below 1, no default"),
        ("train.precision", "fp32, bf16 or fp16, default fp32"),
        ("train.compile", "true or false, default false"),
        ("train.warmup", "interval, no default"),
        ("timeout", "duration, no default"),
        ("grace", "duration, default 30s"),
        ("resources.gpu_memory", "size, no default"),
        ("output_limit", "size, default 1GB"),
        ("resources.cpus", "auto or whole number from 1, default auto"),
        ("trainer", "name or block, default StandardModel"),
        ("model", "name or block, required"),
        ("data.transform", "list of blocks, no default"),
        ("tags", "list of texts, no default"),
        ("env", "block, no default"),
        ("sweep.params.*.int", "list of whole numbers, no default"),
        ("train", ""),
    ],
)
def test_type_and_default_are_in_words(name: str, note: str):
    assert KEYS[name].note == note


def test_a_default_that_is_a_section_shows_what_is_in_it():
    assert KEYS["code"].default_text == "{path: .}"


@pytest.mark.parametrize("value", [True, 30, 0.001, "1ep", "text: x", [1, 2], {"a": {"b": [1]}}, "x" * 300])
def test_a_value_fits_on_one_line_and_reads_as_it_was(value: object):
    text = inline(value)
    assert "\n" not in text
    assert yaml.safe_load(text) == value


def test_the_page_about_the_job_file_is_up_to_date():
    place = importlib.util.spec_from_file_location("make_job_docs", ROOT / "tools" / "make_job_docs.py")
    tool = importlib.util.module_from_spec(place)
    place.loader.exec_module(tool)
    assert (ROOT / "docs" / "job-file.md").read_text() == tool.text(), "run tools/make_job_docs.py"
