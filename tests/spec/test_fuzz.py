"""Broken job files by the thousand: each is refused with its place, none ends in a traceback."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fusionq.cli.app import run
from fusionq.errors import SpecError
from fusionq.spec.load import from_yaml, load_file, parse_job
from fusionq.spec.writer import to_yaml
from tests.spec.valid_jobs import jobs, jobs_with_sweeps

NUM_VALID = 300
NUM_OF_BROKEN_KEYS = 250  # jobs, each of which is broken in every way
NUM_OF_BROKEN_TEXTS = 200
LOCATED = re.compile(r"job\.yaml(:\d+:\d+)?: \S")
WITH_LINE = re.compile(r"job\.yaml:\d+:\d+: \S")

often = hypothesis_settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


draws = st.integers(0, 2**32 - 1).map(Random)


def as_file(data: Any) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml is ten times as fast
    return yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True)


# --- what is right ---------------------------------------------------------------------------------


@hypothesis_settings(often, max_examples=NUM_VALID)
@given(jobs | jobs_with_sweeps)
def test_every_valid_job_is_printed_and_read_again_as_it_was(job: dict[str, Any]):
    spec = from_yaml(as_file(job))
    assert from_yaml(to_yaml(spec.to_data())) == spec
    assert parse_job(spec.to_data()) == spec


# --- what is wrong ---------------------------------------------------------------------------------


def validate(text: bytes | str) -> tuple[int, str]:
    """The exit code and the words of `fusionq validate` for a file of this content."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("job.yaml").write_bytes(
            text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        )
        words = io.StringIO()
        with contextlib.redirect_stderr(words), contextlib.redirect_stdout(io.StringIO()):
            try:
                run(["validate", "job.yaml"])
            except SystemExit as leaving:
                return int(leaving.code or 0), words.getvalue()
    raise AssertionError("the command line always leaves")


def paths_in(value: Any, path: tuple = ()) -> list[tuple]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths_in(item, (*path, key))
    return found


def parent_of(job: Any, path: tuple) -> Any:
    for step in path[:-1]:
        job = job[step]
    return job


def of_sections(job: dict[str, Any]) -> list[tuple]:
    """Paths of keys that the model knows by name: not arguments of targets, which may be anything."""
    open_blocks = ("model", "trainer", "loss", "optimizer", "lr_scheduler", "env", "callbacks")
    found = []
    for path in paths_in(job):
        is_open = path[:1] and path[0] in open_blocks and len(path) > 1
        is_argument = len(path) > 2 and path[0] in ("data", "metrics", "sweep")
        # What a sweep gives a value of its own never counts.
        is_swept = "sweep" in job and path in (
            ("priority",),
            ("train",),
            ("train", "epochs"),
            ("train", "seed"),
        )
        if path and not is_open and not is_argument and not is_swept:
            found.append(path)
    return found


def misspell(job: dict[str, Any], draw: Random) -> None:
    path = draw.choice([p for p in of_sections(job) if isinstance(p[-1], str)])
    parent = parent_of(job, path)
    if path[:1] == ("sweep",) and len(path) == 1:
        return
    parent[str(path[-1]) + draw.choice(["s", "_", "x", " ", "é"])] = parent.pop(path[-1])


def give_another_type(job: dict[str, Any], draw: Random) -> None:
    """A value that no key takes: a block with a stray key, nested."""
    path = draw.choice(of_sections(job))
    parent_of(job, path)[path[-1]] = {"no_such_key": {"deep": [1]}}


def take_away(job: dict[str, Any], draw: Random) -> None:
    # A trainer of one's own may do without loss and optimizer.
    needed = ["model", "data"] if "trainer" in job else ["model", "data", "loss", "optimizer"]
    del job[draw.choice(needed)]


def name_a_wrong_target(job: dict[str, Any], draw: Random) -> None:
    place = draw.choice(["loss", "optimizer", "model"])
    job[place] = {"_target_": draw.choice(["Adamm", "CrossEntropyLos", "Linera", "a b", "", "1x", "x..y"])}


def give_a_wrong_unit(job: dict[str, Any], draw: Random) -> None:
    key, value = draw.choice(
        [
            ("timeout", "5 parsecs"),
            ("grace", "-1s"),
            ("retry", {"backoff": "1x"}),
            ("checkpoint", {"every": "1 epoch"}),
            ("train", {"warmup": "10m"}),
            ("resources", {"gpu_memory": "24 apples"}),
        ]
    )
    job[key] = value


def wrap(job: dict[str, Any], draw: Random) -> None:
    key = draw.choice(
        [key for key in job if key in ("data", "train", "checkpoint", "resources", "retry", "metrics")]
    )
    job[key] = [job[key]]


BREAKS = (misspell, give_another_type, take_away, name_a_wrong_target, give_a_wrong_unit, wrap)


@hypothesis_settings(often, max_examples=NUM_OF_BROKEN_KEYS)
@given(jobs | jobs_with_sweeps, draws)
def test_a_broken_key_type_or_structure_is_refused_at_its_place(job, draw):
    for break_it in BREAKS:
        broken = copy.deepcopy(job)
        break_it(broken, draw)
        if broken == job:
            broken["trian"] = 1
        code, words = validate(as_file(broken))
        assert code == 2, as_file(broken)
        lines = [line for line in words.splitlines() if not line.startswith("  ")]
        assert lines
        assert all(WITH_LINE.match(line) for line in lines), words
        assert "Traceback" not in words


def cut(text: bytes, draw: Random) -> bytes:
    return text[: draw.randrange(len(text))]


def put_in(text: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(text))
    piece = draw.choice(
        [b"\t", b"\x00", b"\xff", b": ", b"- ", b"{", b"[", b"'", b'"', b"*a ", b"&a ", b"!!x ", b"\n "]
    )
    return text[:at] + piece + text[at:]


def drop(text: bytes, draw: Random) -> bytes:
    at = draw.randrange(len(text))
    return text[:at] + text[at + draw.randrange(1, 8) :]


def indent(text: bytes, draw: Random) -> bytes:
    lines = text.split(b"\n")
    at = draw.randrange(len(lines))
    lines[at] = draw.choice([b" ", b"   ", b"\t"]) + lines[at]
    return b"\n".join(lines)


def double_a_line(text: bytes, draw: Random) -> bytes:
    lines = text.split(b"\n")
    at = draw.randrange(len(lines))
    return b"\n".join([*lines[: at + 1], *lines[at:]])


def flip(text: bytes, draw: Random) -> bytes:
    changed = bytearray(text)
    for _ in range(draw.randrange(1, 6)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


TEXT_BREAKS = (cut, put_in, drop, indent, double_a_line, flip)
broken_texts: list[bool] = []


@hypothesis_settings(often, max_examples=NUM_OF_BROKEN_TEXTS)
@given(jobs, draws)
def test_a_broken_text_is_read_or_refused_at_its_place(job, draw):
    """Not every damage breaks a file: what still is a job is one that comes back as it was."""
    text = as_file(job).encode()
    for break_it in TEXT_BREAKS:
        code, words = validate(break_it(text, draw))
        broken_texts.append(code != 0)
        assert "Traceback" not in words
        if code == 0:
            assert words == ""
            continue
        assert code == 2, words
        lines = [line for line in words.splitlines() if not line.startswith("  ")]
        assert lines
        assert all(LOCATED.match(line) for line in lines), words


def test_most_of_the_damaged_texts_were_broken():
    if not broken_texts:
        pytest.skip("the test before this one did not run")
    assert sum(broken_texts) + len(BREAKS) * NUM_OF_BROKEN_KEYS >= 2000


@hypothesis_settings(often, max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_anything_else_is_refused_too(text):
    code, words = validate(text)
    assert code == 2
    assert LOCATED.match(words), words


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[1] / "old_jobs").glob("*.yaml")), ids=lambda f: f.name
)
def test_a_job_file_of_an_earlier_release_still_loads(file: Path):
    try:
        for loaded in load_file(file, environ={}, workdir=file.parent):
            assert parse_job(loaded.spec.to_data()) == loaded.spec
    except SpecError as error:
        pytest.fail(str(error))
