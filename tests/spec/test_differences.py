"""What people changed between job files."""

from __future__ import annotations

from fusionq.spec.differences import differences


def test_only_what_differs_is_told_by_its_dotted_path():
    first = {"optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}, "train": {"seed": 1}}
    second = {"optimizer": {"lr": 0.2, "betas": [0.9, 0.999]}, "train": {"seed": 1}}
    assert differences([first, second]) == [
        {"optimizer.lr": 0.1, "optimizer.betas.1": 0.99},
        {"optimizer.lr": 0.2, "optimizer.betas.1": 0.999},
    ]


def test_what_one_has_and_the_other_lacks_differs():
    assert differences([{"a": {"b": 1}}, {"a": {}}]) == [{"a.b": 1, "a": None}, {"a.b": None, "a": {}}]


def test_names_and_tags_say_nothing():
    assert differences([{"name": "a", "tags": ["x"]}, {"name": "b"}]) == [{}, {}]


def test_one_alone_differs_from_nothing():
    assert differences([{"a": 1}]) == [{}]
    assert differences([]) == []
