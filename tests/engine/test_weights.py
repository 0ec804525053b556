"""What `model.from` takes out of a file: whole, by prefix, but for some, or as far as it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fusionq.engine.checking import check_deeply
from fusionq.engine.weights import load_weights
from fusionq.errors import CheckpointError
from fusionq.spec.paths import RunPaths
from tests.engine.jobs import job_spec, run

FILE = "model.from=backbone.pth"
HEAD = "model._args_.4.out_features=2"


def net(classes: int = 10) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))


def load(folder: Path, saved: Any, model: nn.Module | None = None, **keys: Any) -> nn.Module:
    torch.save(saved, folder / "file.pth")
    model = model or net()
    load_weights(model, {"from": "file.pth", **keys}, RunPaths(folder / "runs" / "x"), folder)
    return model


def is_loaded(model: nn.Module, weights: dict[str, Tensor]) -> bool:
    return torch.equal(model.state_dict()["0.weight"], weights["0.weight"])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"model": weights, "epoch": 3},
        lambda weights: {"state_dict": weights, "optimizer": {"state": {}}},
        lambda weights: {"model_state_dict": weights},
        lambda weights: {f"module.{name}": value for name, value in weights.items()},
        lambda weights: {"state_dict": {f"module._orig_mod.{n}": value for n, value in weights.items()}},
    ],
)
def test_weights_are_found_where_training_scripts_keep_them(wrap: Any, tmp_path: Path) -> None:
    weights = net().state_dict()
    assert is_loaded(load(tmp_path, wrap(weights)), weights)


def test_the_old_form_of_files_is_read_too(tmp_path: Path) -> None:
    weights = net().state_dict()
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    model = net()
    load_weights(model, {"from": "old.pth"}, RunPaths(tmp_path / "x"), tmp_path)
    assert is_loaded(model, weights)


def test_a_prefix_takes_a_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = net().state_dict()
    saved = {f"backbone.{name}": value for name, value in weights.items()} | {"head.bias": torch.zeros(3)}
    assert is_loaded(load(tmp_path, saved, prefix="backbone."), weights)
    assert capsys.readouterr().out.endswith("file.pth: 9 tensors\n")
    with pytest.raises(CheckpointError, match=r"no name .* begins with 'body'; they begin with ba"):
        load(tmp_path, saved, prefix="body")


@pytest.mark.parametrize("ignore", [["2"], ["2.weight", "2.bias"], ["2.*"], "2.*"])
def test_a_new_head_keeps_its_own_weights(
    ignore: list[str] | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = net(10).state_dict()
    assert is_loaded(load(tmp_path, weights, net(2), ignore=ignore), weights)
    assert capsys.readouterr().out.endswith("file.pth: 7 tensors; ignored: 2.weight, 2.bias\n")


def test_what_does_not_fit_is_refused_unless_it_is_not_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {**net(10).state_dict(), "extra": torch.zeros(1)}
    del weights["0.bias"]
    with pytest.raises(CheckpointError, match=r"2.weight is 10 x 4 there and 2 x 4 here \(and 1 more\); "):
        load(tmp_path, weights, net(2))
    with pytest.raises(CheckpointError, match=r"it lacks 0.bias, and it has extra, which the model has not"):
        load(tmp_path, weights, net(10))
    assert is_loaded(load(tmp_path, weights, net(2), strict=False), weights)
    assert capsys.readouterr().out.endswith(
        "6 tensors; not in the file: 0.bias; of another shape in the file: 2.weight, 2.bias; "
        "left over in the file: extra\n"
    )
    with pytest.raises(CheckpointError, match=r"nothing in .* fits this model; its names are a, the model's"):
        load(tmp_path, {"a": torch.zeros(1)}, strict=False)


@pytest.mark.parametrize("saved", [{0: torch.ones(1), 1: torch.ones(1)}, {"model": {0: torch.ones(1)}}])
def test_tensors_without_names_are_no_weights(saved: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"file.pth holds no weights, but a dict; its keys are"):
        load(tmp_path, saved)


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"more than tensors \(torch.nn.modules.container.Sequential\)"):
        load(tmp_path, net())
    with pytest.raises(CheckpointError, match=r"holds no weights, but a dict; its keys are epoch; "):
        load(tmp_path, {"epoch": 3})
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(CheckpointError, match="is no file of weights, or is damaged"):
        load_weights(net(), {"from": "text"}, RunPaths(tmp_path / "x"), tmp_path)


# --- in a job ----------------------------------------------------------------------------------------


def test_a_job_trains_a_new_head_on_a_backbone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(job_spec("train.epochs=1"), tmp_path / "first")
    (best,) = (tmp_path / "first" / "best_models").iterdir()
    best.rename(tmp_path / "backbone.pth")
    wider = ("model._args_.4.out_features=12", "model.from=../backbone.pth", "train.epochs=1")
    problems = check_deeply(job_spec(*wider), tmp_path / "first", None).problems
    assert problems[0][0] == ("model", "from")
    assert "4.weight is 10 x 16 there and 12 x 16 here" in problems[0][1]
    right = job_spec(*wider, "model.ignore=['4']")
    assert check_deeply(right, tmp_path / "first", None).problems == []
    run(right, tmp_path / "second")
    assert "backbone.pth: 2 tensors; ignored: 4.weight, 4.bias" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_told_by_the_check(tmp_path: Path) -> None:
    (problem,) = check_deeply(job_spec(FILE), tmp_path, None).problems
    assert problem == (("model", "from"), f"model.from: there is no file {tmp_path / 'backbone.pth'}")
    verdict = check_deeply(job_spec("model.from=digits"), tmp_path, None)
    assert (verdict.problems, len(verdict.notes)) == ([], 1)
    (problem,) = check_deeply(job_spec("model.from=digits"), tmp_path, None, runs=tmp_path).problems
    assert "nor a finished run" in problem[1]


def test_the_shapes_of_safetensors_are_read_too(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({"1.weight": torch.zeros(16, 63)}, tmp_path / "w.safetensors")
    verdict = check_deeply(job_spec("model.from=w.safetensors", "model.strict=false"), tmp_path, None)
    assert "nothing in" in verdict.problems[0][1]
    verdict = check_deeply(job_spec("model.from=w.safetensors"), tmp_path, None)
    assert "1.weight is 16 x 63 there and 16 x 64 here" in verdict.problems[0][1]
