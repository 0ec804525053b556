"""`fusionq schema`: the JSON Schema of the job file."""

from __future__ import annotations

import json
from pathlib import Path

from fusionq.spec.schema import job_schema
from tests.cli.conftest import Cli


def test_it_prints_the_schema_and_nothing_else(cli: Cli):
    done = cli("schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == job_schema()


def test_it_writes_a_file_and_says_how_an_editor_finds_it(cli: Cli, tmp_path: Path):
    file = tmp_path / "job.schema.json"
    done = cli("schema", "-o", file)
    assert (done.code, done.out) == (0, f"{file}\n")
    assert json.loads(file.read_text()) == job_schema()
    assert f'"yaml.schemas": {{"{file}": ["job.yaml", "jobs/*.yaml"]}}' in done.err
    assert cli("schema", "-o", file).code == 0, "it is generated: newer is better"


def test_a_folder_that_is_not_there_is_one_line(cli: Cli, tmp_path: Path):
    done = cli("schema", "-o", tmp_path / "no" / "x.json")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"fusionq: {tmp_path}/no/x.json cannot be written: No such file or directory; "
        "name a file in a folder of yours\n"
    )


def test_it_is_text_of_this_world(cli: Cli):
    assert "\\u" not in cli("schema").out
