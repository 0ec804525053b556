"""The catalogue of short names against the libraries that are installed here."""

from __future__ import annotations

import importlib

import pytest

from fusionq.spec import catalog as module
from fusionq.spec.catalog import catalog, is_complete_for
from fusionq.spec.kinds import TARGET_PLACES


@pytest.mark.parametrize("name", sorted(catalog()))
def test_every_catalogued_name_can_be_imported(name):
    home = importlib.import_module(name)
    assert [word for word in sorted(catalog()[name]) if not callable(getattr(home, word, None))] == []


def test_every_place_of_a_job_file_has_a_catalogue():
    assert {name for place in TARGET_PLACES.values() for name in place.modules} == set(catalog())


@pytest.mark.parametrize(
    ("installed", "complete"),
    [("0.1", True), ("2.15.0", True), ("2.15.9+cu130", True), ("2.16.0", False), ("3", False)],
)
def test_a_name_is_surely_wrong_only_where_torch_is_not_newer_than_the_catalogue(
    monkeypatch, installed, complete
):
    monkeypatch.setattr(module, "_read", lambda: {"versions": {"torch": "2.15.0"}, "names": {}})
    monkeypatch.setattr(module.metadata, "version", lambda package: installed)
    assert is_complete_for("torch.nn") is complete


def test_a_machine_without_torch_trusts_the_catalogue(monkeypatch):
    def not_installed(package: str) -> str:
        raise module.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(module.metadata, "version", not_installed)
    assert is_complete_for("torch.nn")
    assert is_complete_for("fusionq")
