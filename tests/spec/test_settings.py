"""Where settings come from, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.errors import UsageError
from fusionq.spec import settings as module
from fusionq.spec.redis_url import without_password
from fusionq.spec.settings import Settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def load(home: Path, **environ: str) -> Settings:
    return Settings.load({"FUSIONQ_HOME": str(home), **environ})


def test_the_environment_variables_are_pinned():
    names = {name: value for name, value in vars(module).items() if name.startswith("ENV_")}
    assert names == {
        "ENV_HOME": "FUSIONQ_HOME",
        "ENV_REDIS_URL": "FUSIONQ_REDIS_URL",
        "ENV_REDIS_PASSWORD_FILE": "FUSIONQ_REDIS_PASSWORD_FILE",
        "ENV_RUNS": "FUSIONQ_RUNS",
        "ENV_DATA": "FUSIONQ_DATA",
        "ENV_LEASE": "FUSIONQ_LEASE",
        "ENV_RETENTION": "FUSIONQ_RETENTION",
        "ENV_KEEP_JOBS": "FUSIONQ_KEEP_JOBS",
        "ENV_UMASK": "FUSIONQ_UMASK",
    }


def test_without_any_setting_everything_lies_in_the_users_data_folder(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    settings = Settings.load({})
    assert settings.home.name == "fusionq"
    assert settings.runs == settings.home / "runs"
    assert (settings.redis_url, settings.data, settings.lease_s) == (None, None, 15)


def test_the_environment_is_read_when_nothing_is_given(settings: Settings, home: Path):
    assert settings == Settings(home=home, runs=home / "runs")


def test_the_config_file_comes_before_the_default(tmp_path: Path, config: Path):
    config.write_text('redis_url = "redis://there:1/2"\nruns = "/r"\ndata = "/d"\nlease = "20s"\n')
    assert load(tmp_path) == Settings(tmp_path, Path("/r"), "redis://there:1/2", Path("/d"), 20)


def test_the_environment_comes_before_the_config_file(tmp_path: Path, config: Path):
    config.write_text('redis_url = "redis://there:1/2"\nruns = "/r"\ndata = "/d"\nlease = "20s"\n')
    environ = {
        "FUSIONQ_REDIS_URL": "unix:///x",
        "FUSIONQ_RUNS": "/e",
        "FUSIONQ_DATA": "/f",
        "FUSIONQ_LEASE": "3",
    }
    assert load(tmp_path, **environ) == Settings(tmp_path, Path("/e"), "unix:///x", Path("/f"), 3)


def test_the_command_line_comes_before_the_environment(tmp_path: Path):
    settings = load(tmp_path, FUSIONQ_REDIS_URL="redis://there").with_redis_url("redis://here", {})
    assert settings.redis_url == "redis://here"


def test_an_empty_variable_is_as_none(tmp_path: Path):
    assert load(tmp_path, FUSIONQ_REDIS_URL="", FUSIONQ_RUNS="", FUSIONQ_LEASE="").redis_url is None


def test_paths_are_absolute_and_know_the_users_home(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = load("~/fq", FUSIONQ_RUNS="runs", FUSIONQ_DATA="~/data")
    assert (settings.home, settings.runs, settings.data) == (
        tmp_path / "fq",
        tmp_path / "runs",
        tmp_path / "data",
    )


def test_settings_reach_a_child_process_unchanged(tmp_path: Path):
    for lease_s in (1.0, 12345.678, 1_234_567.0):
        settings = Settings(tmp_path, tmp_path / "runs", "redis://:x@h:1/0", tmp_path / "d", lease_s)
        assert Settings.load(settings.to_environ()) == settings


@pytest.mark.parametrize(
    ("said", "retention_s"), [("7d", 7 * 86_400), ("3600", 3600), ("forever", None), ("", 30 * 86_400)]
)
def test_how_long_finished_jobs_stay(tmp_path: Path, config: Path, said: str, retention_s: float | None):
    assert load(tmp_path, FUSIONQ_RETENTION=said).retention_s == retention_s
    config.write_text(f'retention = "{said}"\nkeep_jobs = "7"\n')
    settings = load(tmp_path)
    assert (settings.retention_s, settings.keep_jobs) == (retention_s, 7)
    assert Settings.load(settings.to_environ()) == settings


@pytest.mark.parametrize("variable", ["FUSIONQ_RETENTION", "FUSIONQ_KEEP_JOBS"])
@pytest.mark.parametrize("value", ["soon", "-1"])
def test_a_retention_that_is_none_is_refused(tmp_path: Path, variable: str, value: str):
    with pytest.raises(UsageError, match=variable):
        load(tmp_path, **{variable: value})


def test_the_password_file_completes_a_url_without_a_password(tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n")
    for url, complete in (
        ("redis://host:1/0", "redis://:p%40ss%2Fword@host:1/0"),
        ("redis://me@host:1/0", "redis://me:p%40ss%2Fword@host:1/0"),
        ("redis://me:@host:1/0", "redis://me:p%40ss%2Fword@host:1/0"),
        ("redis://me:own@host:1/0", "redis://me:own@host:1/0"),
    ):
        settings = load(tmp_path, FUSIONQ_REDIS_URL=url, FUSIONQ_REDIS_PASSWORD_FILE=str(secret))
        assert settings.redis_url == complete


def test_a_password_file_that_is_no_text_is_told(tmp_path: Path):
    file = tmp_path / "password"
    file.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="it is not UTF-8 text"):
        load(tmp_path, FUSIONQ_REDIS_URL="redis://h", FUSIONQ_REDIS_PASSWORD_FILE=str(file))


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(UsageError, match=r"No such file.*FUSIONQ_REDIS_PASSWORD_FILE"):
        load(tmp_path, FUSIONQ_REDIS_URL="redis://h", FUSIONQ_REDIS_PASSWORD_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "url",
    [
        "host:6379",
        "http://h",
        "redis://[::1",
        "redis://h:port",
        "redis://h:99999",
        "rdis://:secret@h",
        "redis://:secret@h:x",
    ],
)
def test_a_bad_url_is_refused_without_its_password(tmp_path: Path, url):
    with pytest.raises(UsageError, match="is not a Redis URL; write redis://host:6379/0") as caught:
        load(tmp_path, FUSIONQ_REDIS_URL=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:secret@h:1/0", "redis://:***@h:1/0"),
        ("rediss://me:se%40cret@h", "rediss://me:***@h"),
        ("redis://me:se@cret@h", "redis://me:***@h"),
        ("redis://me:se/cret@h", "redis://me:***@h"),
        ("redis://me@h", "redis://me@h"),
        ("unix://me:secret@/path/x.sock", "unix://me:***@/path/x.sock"),
        ("unix:///path/x:y@z.sock", "unix:///path/x:y@z.sock"),
        ("redis://h?db=1&password=secret&x=1", "redis://h?db=1&password=***&x=1"),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


@pytest.mark.parametrize("lease", ["0.5", "0", "soon", "-5s"])
def test_a_lease_that_no_worker_could_hold_is_refused(tmp_path: Path, lease):
    with pytest.raises(UsageError, match="FUSIONQ_LEASE: "):
        load(tmp_path, FUSIONQ_LEASE=lease)


@pytest.mark.parametrize("content", [b"redis_url = ", b"\xff"])
def test_a_config_file_that_cannot_be_read_is_named(tmp_path: Path, config: Path, content):
    config.write_bytes(content)
    with pytest.raises(UsageError, match=r"config\.toml: .*; mend the file or remove it"):
        load(tmp_path)


def test_a_home_that_is_a_file_is_told(tmp_path: Path):
    (tmp_path / "home").write_text("")
    with pytest.raises(UsageError, match="Not a directory"):
        load(tmp_path / "home")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("redis = 'redis://x'", "unknown key 'redis'; it may hold redis_url, runs"),
        ("lease = 5", "lease must be text"),
        ("lease = 'soon'", r"/config\.toml: lease: 'soon' is not a duration"),
        ("keep_jobs = 'x'", r"/config\.toml: keep_jobs: 'x' is not a number of jobs"),
    ],
)
def test_a_wrong_config_file_is_refused_and_says_where(home: Path, line: str, said: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(line)
    with pytest.raises(UsageError, match=said):
        Settings.load()


@pytest.mark.parametrize(("text", "umask"), [("077", 0o077), ("027", 0o027), ("0022", 0o022)])
def test_a_umask_says_who_may_read(text: str, umask: int):
    assert Settings.load({"FUSIONQ_HOME": "/h", "FUSIONQ_UMASK": text}).umask == umask


@pytest.mark.parametrize("text", ["700", "9", "rw", "07777"])
def test_a_umask_that_shuts_out_the_owner_is_refused(text: str):
    with pytest.raises(UsageError, match="is not a umask that lets the owner read and write; write 077"):
        Settings.load({"FUSIONQ_HOME": "/h", "FUSIONQ_UMASK": text})
