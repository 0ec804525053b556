"""`fusionq init`: a job file to start from, in which every key stands and is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fusionq.cli import init as verb
from fusionq.cli.init import TEMPLATES
from fusionq.spec.describe import ANY_NAME, Key, keys
from fusionq.spec.load import from_yaml, load_job
from fusionq.spec.reader import read_text
from fusionq.spec.scaffold import WIDTH, commented
from tests.cli.conftest import Cli

FOLDER = Path(verb.__file__).parent / "templates"
KEYS = [key for key in keys() if ANY_NAME not in key.path]
KNOWN_TO_THE_READER_ALONE = {"defaults"}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def template_text(name: str) -> str:
    return (FOLDER / f"{name}.yaml").read_text()


def place_of(key: Key, text: str) -> re.Match[str]:
    """Where a key stands: in use, or behind a `# `."""
    start, indent = 0, ""
    if len(key.path) == 2:
        start = re.search(rf"^(# )?{key.path[0]}:", text, re.M).end()
        indent = "  "
    pattern = rf"^(?P<off>{indent}# |# {indent}|(?P<on>{indent})){key.path[-1]}:(?= |$)"
    return re.compile(pattern, re.M).search(text, start)


def in_use(text: str, dotted: str) -> str:
    """The text with one key, or the whole section, out of its comment."""
    key = next(key for key in KEYS if key.dotted == dotted)
    place = place_of(key, text)
    if place["on"] is not None:
        return text
    if any(other.path[:-1] == key.path for other in KEYS):
        end = text.find("\n\n", place.start())
        block = re.sub("^# ", "", text[place.start() : end], flags=re.M)
        return text[: place.start()] + block + text[end:]
    if place[0].startswith("# ") and len(key.path) == 2:
        return in_use(text, key.path[0])
    return text[: place.start()] + place[0].replace("# ", "", 1) + text[place.end() :]


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_writes_a_file_that_loads(cli: Cli, template: str):
    done = cli("init", "mine.yaml", "--template", template)
    assert done.code == 0
    assert done.out.splitlines()[0] == "mine.yaml"
    spec = load_job("mine.yaml")
    assert spec == from_yaml(template_text(template))
    short = Path("mine.yaml").read_text()
    assert cli("init", "full.yaml", "--template", template, "--full", "--force").code == 0
    assert load_job("full.yaml") == spec
    assert len(short.splitlines()) < 50 < len(Path("full.yaml").read_text().splitlines())


def test_the_file_is_job_yaml_and_the_template_a_small_network(cli: Cli):
    assert cli("init").out == "job.yaml\n"
    assert load_job("job.yaml").name == "digits-mlp"


def test_the_next_commands_are_said_beside_the_data(cli: Cli):
    done = cli("init", "a.yaml")
    assert [line.split("fusionq ")[1] for line in done.err.splitlines()] == [
        "validate a.yaml",
        "run a.yaml",
        "submit a.yaml",
    ]


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_key_stands_in_it_once_with_its_type_default_and_sentence(template: str):
    text = commented(template_text(template))
    words = " ".join(line.strip().lstrip("# ") for line in text.splitlines())
    for key in KEYS:
        assert f"{key.description} ({key.note})".removesuffix(" ()") in words, key.dotted
    used = read_text(template_text(template), "t", {}).data
    for key in KEYS:
        parent = used if len(key.path) == 1 else used.get(key.path[0])
        is_used = isinstance(parent, dict) and key.path[-1] in parent
        assert (place_of(key, text)["on"] is not None) == is_used, key.dotted


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_key_that_is_not_used_works_once_its_comment_is_gone(template: str):
    text = commented(template_text(template))
    for key in KEYS:
        changed = in_use(text, key.dotted)
        if key.path[0] == "metrics":  # metrics.val makes no sense without what it measures
            changed = in_use(changed, "data.val_fraction")
        data = read_text(changed, "job.yaml", {}).data
        found = data if len(key.path) == 1 else data[key.path[0]]
        assert key.path[-1] in found, key.dotted
        if key.dotted not in KNOWN_TO_THE_READER_ALONE:
            from_yaml(changed)


def test_everything_together_is_still_yaml():
    text = commented(template_text("mlp"))
    for key in KEYS:
        text = in_use(text, key.dotted)
    data = read_text(text, "job.yaml", {}).data
    assert list(data) == [key.path[0] for key in KEYS if len(key.path) == 1]
    for key in KEYS:
        assert len(key.path) == 1 or key.path[1] in data[key.path[0]]
    for known in KNOWN_TO_THE_READER_ALONE:
        text = re.sub(rf"^{known}:.*\n", "", text, flags=re.M)
    with pytest.raises(Exception, match="are two ways to say one thing") as caught:
        from_yaml(text)
    assert len(caught.value.problems) == 1
    from_yaml(re.sub(r"^  val_fraction:.*\n", "", text, flags=re.M))


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_is_pretty(template: str):
    text = commented(template_text(template))
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)
    assert "\n\n\n" not in text
    assert text.endswith("\n")
    assert text.startswith("# ")
    for line in lines:
        assert not re.match(r"\s*# [a-z_]+:( |$)", line) or line.strip(" #").split(":")[0] in {
            key.path[-1] for key in KEYS
        }, f"this comment looks like a key: {line}"


def test_every_template_of_the_package_is_offered_and_a_sentence_in_the_help(cli: Cli):
    assert set(TEMPLATES) == {path.stem for path in FOLDER.glob("*.yaml")}
    shown = cli("init", "--help").out
    assert all(re.search(rf"^ +{name}  +\w", shown, re.M) for name in TEMPLATES)
    assert {name for name in TEMPLATES.values() if name} == {path.name for path in FOLDER.glob("*.py")}


# --- what is there already -------------------------------------------------------------------------


def test_a_file_that_is_there_stays(cli: Cli):
    Path("job.yaml").write_text("mine")
    done = cli("init")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "fusionq: job.yaml is there already; name another file, or overwrite it with --force\n"
    )
    assert Path("job.yaml").read_text() == "mine"


def test_with_force_it_is_overwritten(cli: Cli):
    Path("job.yaml").write_text("mine" * 10_000)
    assert cli("init", "--force").code == 0
    assert load_job("job.yaml").name == "digits-mlp"


def test_a_folder_is_no_file(cli: Cli):
    Path("jobs").mkdir()
    done = cli("init", "jobs", "--force")
    assert done.code == 2
    assert done.err == "fusionq: jobs is a folder; name a file in it: fusionq init jobs/job.yaml\n"


@pytest.mark.parametrize(
    ("file", "why"), [("no/job.yaml", "No such file or directory"), ("a/job.yaml", "Not a directory")]
)
def test_a_place_that_cannot_be_written_is_one_line(cli: Cli, file: str, why: str):
    Path("a").write_text("a file")
    done = cli("init", file)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"fusionq: {file} cannot be written: {why}; name a file in a folder of yours\n"


def test_a_template_that_does_not_exist_names_those_that_do(cli: Cli):
    done = cli("init", "--template", "rnn")
    assert done.code == 2
    assert all(name in done.err for name in TEMPLATES)
    assert not Path("job.yaml").exists()


# --- a trainer of one's own ------------------------------------------------------------------------


def test_the_custom_trainer_comes_with_its_module(cli: Cli):
    done = cli("init", "--template", "custom-trainer")
    assert done.out.splitlines() == ["job.yaml", "my_trainer.py"]
    source = Path("my_trainer.py").read_text()
    compile(source, "my_trainer.py", "exec")
    assert load_job("job.yaml").trainer == {"_target_": "my_trainer.MyTrainer"}
    for hook in ("__train_func__", "__eval_function__", "__predict_func__"):
        assert f"def {hook}(" in source


def test_a_module_of_that_name_stays_unless_forced(cli: Cli):
    Path("my_trainer.py").write_text("mine = 1\n")
    done = cli("init", "--template", "custom-trainer")
    assert (done.code, done.out) == (0, "job.yaml\n")
    assert "my_trainer.py is there already and stays as it is" in done.err
    assert Path("my_trainer.py").read_text() == "mine = 1\n"
    assert cli("init", "--template", "custom-trainer", "--force").code == 0
    assert "class MyTrainer" in Path("my_trainer.py").read_text()


def test_a_module_in_another_folder_is_found_from_there(cli: Cli):
    Path("sub").mkdir()
    done = cli("init", "sub/job.yaml", "--template", "custom-trainer")
    assert done.out.splitlines() == ["sub/job.yaml", "sub/my_trainer.py"]
    assert "cd sub" in done.err
    assert "fusionq run job.yaml" in done.err
