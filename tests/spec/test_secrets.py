"""What is a secret by its name or its form is never shown, and what is shown can be submitted again."""

from __future__ import annotations

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import from_yaml, parse_job
from fusionq.spec.secrets import MASK, is_secret, is_secret_file, mask_code, mask_spec, unmask
from fusionq.spec.writer import to_yaml
from tests.support import ONE_JOB

TOKEN = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WANDB_API_KEY", "0123abcd"),
        ("GITHUB_TOKEN", "x"),
        ("PGPASSWORD", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY", "abc"),
        ("ANYTHING", TOKEN),
        ("DATABASE_URL", "postgresql://ada:hunter2@db/runs"),
    ],
)
def test_a_secret_is_known_by_its_name_or_its_form(name: str, value: str):
    assert is_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
        ("SSH_KEY_PATH", "/home/ada/.ssh/key"),
        ("GITHUB_TOKEN", "env:GITHUB_TOKEN"),
        ("OMP_NUM_THREADS", "4"),
        ("DATABASE_URL", "postgresql://db/runs"),
    ],
)
def test_what_is_none_is_left_alone(name: str, value: str):
    assert not is_secret(name, value)


def test_a_masked_job_is_submitted_again_with_a_reference():
    spec = from_yaml(ONE_JOB + "env: {WANDB_API_KEY: abcdef, MODE: fast}\n")
    again = parse_job(mask_spec(spec.to_data()))
    assert again.env == {"WANDB_API_KEY": "env:WANDB_API_KEY", "MODE": "fast"}
    assert again.model_copy(update={"env": spec.env}) == spec


def test_what_is_left_masked_in_an_edited_job_is_put_back():
    stored = {
        "env": {"API_KEY": "abc12345", "MODE": "a"},
        "notify": [{"url": "https://me:secret@box"}, {"url": "b"}],
    }
    edited = mask_spec(stored)
    assert edited != stored
    edited["env"] |= {"MODE": "b"}
    edited["notify"] += [{"url": "c"}]
    notify = [*stored["notify"], {"url": "c"}]
    assert unmask(edited, mask_spec(stored), stored) == {
        "env": {"API_KEY": "abc12345", "MODE": "b"},
        "notify": notify,
    }
    assert unmask({"env": {"API_KEY": "env:NEW"}}, mask_spec(stored), stored) == {
        "env": {"API_KEY": "env:NEW"}
    }


def test_a_masked_argument_is_refused_with_its_place():
    spec = from_yaml(ONE_JOB + f"trainer: {{_target_: own.Trainer, api_key: abc, log: 'to {TOKEN}'}}\n")
    text = to_yaml(mask_spec(spec.to_data()))
    assert "abc" not in text.replace("fabric", "")
    assert TOKEN not in text
    with pytest.raises(SpecError, match=r"trainer\.api_key: a secret was masked here; write it again"):
        from_yaml(text)


def test_secrets_of_a_sweep_are_masked():
    data = {"sweep": {"params": {"env.API_TOKEN": ["one", "two"], "env.MODE": ["a"]}}}
    assert mask_spec(data)["sweep"]["params"] == {"env.API_TOKEN": [MASK, MASK], "env.MODE": ["a"]}


@pytest.mark.parametrize(
    "line",
    [
        '+api_key = "0123456789"',
        "+  'password': 'hunter22'",
        '+API_KEY: Final[str | None] = "0123456789"',
        '+API_KEY = b"0123456789"',
        '+password = """hunter22"""',
        '+os.environ["API_KEY"] = "0123456789"',
        '+os.getenv("API_KEY", "0123456789")',
        "+export WANDB_API_KEY=0123456789",
        f"+print('{TOKEN}')",
        "+url = 'redis://:hunter22@box'",
        "+-----BEGIN RSA PRIVATE KEY-----\n+MIIhunter22\n+-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_in_a_diff_are_masked(line: str):
    masked = mask_code(line)
    assert MASK in masked
    assert not any(secret in masked for secret in ("0123456789", "hunter22", TOKEN))


@pytest.mark.parametrize(
    "line",
    [
        "+token = tokenizer.encode(text)",
        '+key = "train_accuracy"',
        "+LR=0.001",
        '+metrics["train"] = ["train_accuracy", "test_accuracy"]',
        '+def key_of(name: str = "train_accuracy") -> str:',
    ],
)
def test_ordinary_code_in_a_diff_is_kept(line: str):
    assert mask_code(line) == line


def test_files_of_secrets_are_known_by_their_names():
    assert all(map(is_secret_file, (".env", "conf/.env.local", "cert.PEM", ".ssh/config", "id_ed25519")))
    assert not any(map(is_secret_file, (".env.example", "environment.py", "keys.py", "id_rsa.pub")))


def test_a_wrong_reference_is_refused():
    with pytest.raises(SpecError, match=r"env\.KEY: behind env: comes the name of an environment variable"):
        from_yaml(ONE_JOB + "env: {KEY: 'env:not a name'}\n")
