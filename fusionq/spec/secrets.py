"""Recognizes passwords, keys and tokens, and masks them in whatever is shown or written to disk.

A value is taken for a secret by its name (API_KEY, GITHUB_TOKEN, PGPASSWORD) or by its form (`ghp_…`, `sk-…`,
a private key, a URL with a password).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from fusionq.spec.text_values import ENV
from fusionq.spec.variables import REFERENCE, is_reference

MASK = "*** masked ***"

_SECRET_WORD = re.compile(r"APIKEY|KEYS?|TOKEN|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|PASS|CREDENTIALS?")
# Names in code and in arguments are of all kinds: a `key` or a `token` alone is most often none of these.
_SURE_WORD = re.compile(r"APIKEY|SECRET|PASSWORD|PASSWD|PASSPHRASE")
_SURE_PAIR = re.compile(r"(^|_)(API|ACCESS|AUTH|PRIVATE|SIGNING|ENCRYPTION|BEARER)_(KEY|TOKEN)($|_)")
_LOCATION_WORD = re.compile(r"FILE|PATH|DIR|FOLDER")
_SWITCH = re.compile(r"|[01]|true|false|yes|no|on|off|none|null")

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_TOKEN = re.compile(
    r"\b(?:"
    r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}"
    r"|sk-[\w-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|xox[abeprs]-[\w-]{10,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r")"
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@'\"]*:)[^/\s@'\"]+(?=@)")
# `name = "…"`, with an annotation too, `"name": "…"`, `it["name"] = "…"` and `("name", "…")`.
_ASSIGNMENT = re.compile(
    r"""\b(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""(?:['"]\s*,|(?:\s*:\s*[\w.]+(?:\[[\w., |\[\]]*\])?(?=\s*=)|['"]?\]?)\s*[=:])"""
    r"""\s*[bfru]{0,2}(?P<quote>\"{3}|'{3}|['"])(?P<value>[^'"\n]{6,})(?P=quote)""",
    re.IGNORECASE,
)
_ENV_LINE = re.compile(
    r"^(?P<start>[-+ ]?\s*(?:export\s+)?(?P<name>[A-Z][A-Z0-9_]*)=)(?P<value>[^\s'\"]{6,})(?=\s*$)",
    re.MULTILINE,
)

_SECRET_FILES = (
    ".env",
    ".env.*",
    "*.pem",
    "*.p12",
    "*.pfx",
    "*.key",
    "*.ppk",
    "*.kdbx",
    ".netrc",
    ".pgpass",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
)
_SECRET_FOLDERS = (".ssh", ".aws", ".gnupg", ".kube")
SECRET_PATTERNS = (*_SECRET_FILES, *_SECRET_FOLDERS)
"""Names of files and folders that hold secrets, for git."""

_TEMPLATES = (".example", ".sample", ".template", ".dist")


def is_secret(name: str, value: str) -> bool:
    """Returns whether an environment variable holds a secret; a reference `env:NAME` never does."""
    if is_reference(value) or _SWITCH.fullmatch(value.strip().lower()):
        return False
    return _is_secret_name(name) or mask_tokens(value) != value


def is_secret_file(path: str) -> bool:
    """Returns whether a file, by its name, holds secrets: `.env`, `*.pem`, `id_rsa`, all of `.ssh`."""
    *folders, name = path.split("/")
    if any(folder in _SECRET_FOLDERS for folder in folders):
        return True
    is_named = any(fnmatchcase(name.lower(), pattern) for pattern in _SECRET_FILES)
    return is_named and not name.lower().endswith(_TEMPLATES)


def mask_tokens(text: str) -> str:
    """Returns the text with everything masked that has the form of a secret."""
    text = _TOKEN.sub(MASK, _PRIVATE_KEY.sub(MASK, text))
    return _URL_PASSWORD.sub(rf"\1{MASK}", text)


def mask_code(text: str) -> str:
    """Returns code, or a diff of it, with secrets masked, those too that are assigned to a telling name."""

    def mask(match: re.Match[str]) -> str:
        name, whole = match["name"], match[0]
        is_sure = _is_sure_name(name) or (name.isupper() and _is_secret_name(name))
        return whole.replace(match["value"], MASK) if is_sure and not is_reference(match["value"]) else whole

    return _ENV_LINE.sub(mask, _ASSIGNMENT.sub(mask, mask_tokens(text)))


def mask_spec(data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a job's data as it may be shown. It can be submitted again, unless an argument was masked.

    A secret of `env` becomes a reference to a variable of the same name, any other one MASK.
    """
    return {key: _mask_env(value) if key == ENV else mask_value(key, value) for key, value in data.items()}


def mask_value(key: str, value: Any) -> Any:
    """Returns what stands under a key of a job file, by its dotted path, as it may be shown."""
    if isinstance(value, Mapping):
        return {str(inner): mask_value(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_value(key, item) for item in value]
    if not isinstance(value, str):
        return value
    if key.startswith(f"{ENV}."):  # what a sweep changes
        return MASK if is_secret(key.partition(".")[2], value) else value
    return MASK if _is_sure_name(key.rpartition(".")[2]) and value else mask_tokens(value)


def unmask(data: Any, shown: Any, stored: Any) -> Any:
    """Returns edited data with the stored values in the places where a mask was left as it was `shown`."""
    if isinstance(data, Mapping) and isinstance(shown, Mapping) and isinstance(stored, Mapping):
        return {key: unmask(value, shown.get(key), stored.get(key)) for key, value in data.items()}
    if isinstance(data, list) and isinstance(shown, list) and isinstance(stored, list):
        known = [*zip(shown, stored, strict=True)][: len(data)]
        known += [(None, None)] * (len(data) - len(known))
        return [unmask(item, *pair) for item, pair in zip(data, known, strict=True)]
    return stored if shown != stored and data == shown else data


def secrets_of_env(env: Mapping[str, str]) -> list[str]:
    """Returns the names of the variables that hold secrets as they stand."""
    return [name for name, value in env.items() if is_secret(name, value)]


def masked_places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yields the path of every value in which something is masked."""
    if isinstance(data, str):
        if MASK in data:
            yield path
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from masked_places(value, (*path, key))
    elif isinstance(data, list):
        for i, item in enumerate(data):
            yield from masked_places(item, (*path, i))


def _mask_env(env: Any) -> Any:
    if not isinstance(env, Mapping):
        return env
    return {
        name: f"{REFERENCE}{name}" if is_secret(name, str(value)) else value for name, value in env.items()
    }


def _words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper().replace("-", "_").split("_")


def _is_secret_name(name: str) -> bool:
    words = _words(name)
    is_named = any(map(_SECRET_WORD.fullmatch, words)) or words[-1].endswith("PASSWORD")
    return is_named and not _LOCATION_WORD.fullmatch(words[-1])


def _is_sure_name(name: str) -> bool:
    words = _words(name)
    is_sure = any(map(_SURE_WORD.fullmatch, words)) or bool(_SURE_PAIR.search("_".join(words)))
    return is_sure and not _LOCATION_WORD.fullmatch(words[-1])
