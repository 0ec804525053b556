"""The training guide as an acceptance test: its code, as it stands, with `import fusionq as tf`."""

from __future__ import annotations

import html
import re
import textwrap
from pathlib import Path

import pytest
import torch
import torchvision.datasets.mnist
from torch import nn

import fusionq as tf
from fusionq.errors import HookError
from tests.engine.jobs import digits, loader, network, train
from tests.mnist import MNIST_ROOT, needs_mnist

GUIDE = Path(__file__).parents[3] / "shared" / "seed" / "torchfusion-training.md"
needs_guide = pytest.mark.skipif(not GUIDE.exists(), reason=f"the guide is not at {GUIDE}")


def blocks() -> list[str]:
    """The code blocks of the guide; one has its heading inside."""
    found = re.findall(r"<pre>(.*?)</pre>", GUIDE.read_text(), flags=re.DOTALL)
    return [re.sub(r"\AStep\d.*\n", "", html.unescape(block).strip("\n")) for block in found]


def block_with(words: str) -> str:
    (block,) = (block for block in blocks() if words in block)
    return block


def script() -> str:
    """The MNIST script of the guide, from its imports to `model.train`."""
    found = blocks()
    last = next(i for i, block in enumerate(found) if "__main__" in block)
    return "\n".join(found[: last + 1])


def replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the guide no longer says {old!r}"
    return text.replace(old, new)


def made_small(text: str) -> str:
    """As the guide stands but for its size, and a Normalize that fits one channel."""
    text = replaced(text, "import torchfusion as tf", "import fusionq as tf")
    text = replaced(text, "(0.5,0.5,0.5)", "(0.5,)")
    text = replaced(text, "num_workers=4", "num_workers=0")
    text = replaced(text, "num_epochs=20", "num_epochs=1")
    cut = "from torch.utils.data import Subset\n{0} = Subset({0}, range({1}))\n"
    return replaced(
        text,
        "train_loader = ",
        cut.format("train_set", 6000) + cut.format("test_set", 1000) + "train_loader = ",
    )


@pytest.fixture
def beside_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose ./data is the real MNIST; a download would be an error."""
    assert MNIST_ROOT is not None
    (tmp_path / "data").symlink_to(MNIST_ROOT)
    monkeypatch.chdir(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the files are there, nothing is to be downloaded")

    monkeypatch.setattr(torchvision.datasets.mnist, "download_and_extract_archive", refuse)
    return tmp_path


@needs_guide
@needs_mnist
def test_the_script_of_the_guide_trains_mnist(beside_mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace = {"__name__": "__main__"}
    exec(made_small(script()), namespace)
    assert namespace["test_metrics_top1"].getValue() > 0.7
    assert namespace["test_metrics_top2"].getValue() > namespace["test_metrics_top1"].getValue()
    out = capsys.readouterr().out
    assert "Linear_4" in out
    assert "epoch 1/1" in out
    folder = beside_mnist / "mnist_mlp_saved_models"
    assert (folder / "all_models" / "model_1.pth").exists()
    assert (folder / "best_models" / "model_1.pth").exists()
    assert (folder / "plots" / "loss.png").exists()
    assert "test_top_1_acc" in (beside_mnist / "logs.txt").read_text()

    # The part on adjusting learning rates goes on with the same names.
    exec(block_with("def lr_schedule"), namespace)
    call = block_with("lr_schedule=lr_schedule").strip()
    exec(replaced(call, "num_epochs=20", "num_epochs=1"), namespace)
    assert "LR:  0.001" in capsys.readouterr().out
    assert [namespace["lr_schedule"](epoch) for epoch in (30, 31, 61, 91)] == [1e-3, 1e-4, 1e-5, 1e-6]


@needs_guide
def test_the_custom_trainer_of_the_guide_trains_as_it_stands(tmp_path: Path) -> None:
    hooks = ["def __init__", "def __train_func__", "def __eval_function__", "def __predict_func__"]
    body = "\n\n".join(textwrap.dedent(block_with(hook)) for hook in hooks)
    source = "class StandardModel(tf.BaseModel):\n" + textwrap.indent(body, "    ")
    namespace = {"tf": tf, "Variable": torch.autograd.Variable}
    exec(source, namespace)
    ours, theirs = _equal_trainers(tf.StandardModel, namespace["StandardModel"])
    histories = []
    for trainer, folder in ((ours, "ours"), (theirs, "theirs")):
        torch.manual_seed(7)
        history = train(
            trainer,
            tmp_path / folder,
            train_metrics=[tf.Accuracy()],
            test_loader=loader(train=False),
            test_metrics=[tf.Accuracy(name="Top 1 Acc ")],
            num_epochs=2,
        )
        histories.append(history.rows)
    for mine, its in zip(*histories, strict=True):
        mine.pop("test_loss")  # the hook of the guide does not measure it
        assert mine == pytest.approx(its, rel=1e-6)  # the guide's loss is multiplied in single precision
    inputs = digits(train=False).tensors[0]
    assert torch.equal(ours.predict(inputs), theirs.predict(inputs))


@needs_guide
def test_every_metric_that_the_guide_names_can_be_made() -> None:
    namespace = {"tf": tf}
    exec(block_with("top5 = "), namespace)
    assert namespace["top5"].topK == 5


def _equal_trainers(*classes: type[tf.BaseModel]) -> list[tf.BaseModel]:
    trainers = []
    for trainer_class in classes:
        torch.manual_seed(3)
        trainers.append(trainer_class(network(), use_cuda_if_available=True))
    return trainers


# --- the same promises, without the file -------------------------------------------------------------------


def test_the_calls_of_the_guide_work_on_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tf.StandardModel(network())
    print(model.summary((1, 8, 8)))
    optimizer = torch.optim.Adam(model.model.parameters(), lr=0.001)
    train_metrics = tf.Accuracy(topK=1)
    top1, top2 = tf.Accuracy(name="Top 1 Acc ", topK=1), tf.Accuracy(name="Top 2 Acc ", topK=2)
    history = model.train(
        loader(),
        nn.CrossEntropyLoss(),
        optimizer,
        [train_metrics],
        loader(train=False),
        [top1, top2],
        num_epochs=2,
        model_dir=str(tmp_path / "saved"),
        notebook_mode=False,
        display_metrics=True,
        save_metrics=True,
        batch_log=True,
        save_logs=str(tmp_path / "logs.txt"),
        save_models="all",
        lr_schedule=lambda epoch: 0.01 / epoch,
    )
    assert [row["epoch"] for row in history.rows] == [1, 2]
    assert list(history.rows[0]) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_top_1_acc",
        "test_top_2_acc",
        "lr",
    ]
    assert history.rows[1]["test_top_1_acc"] == top1.getValue() == top1.result()
    assert optimizer.param_groups[0]["lr"] == 0.005
    assert _names(tmp_path / "saved" / "all_models") == ["model_1.pth", "model_2.pth"]
    assert len(_names(tmp_path / "saved" / "best_models")) == 1
    assert _names(tmp_path / "saved" / "plots") == [
        "accuracy.png",
        "loss.png",
        "lr.png",
    ]
    assert len((tmp_path / "logs.txt").read_text().splitlines()) == 2
    assert "epoch 1/2" in capsys.readouterr().err  # the bar of batch_log


def test_best_saves_only_the_best_models(tmp_path: Path) -> None:
    trainer = tf.StandardModel(network())
    more = {"test_loader": loader(train=False), "test_metrics": [tf.Accuracy()]}
    train(trainer, tmp_path, save_models="best", num_epochs=2, **more)
    assert not (tmp_path / "all_models").exists()
    assert len(_names(tmp_path / "best_models")) == 1


def test_a_mode_of_saving_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="save_models must be 'all' or 'best', not 'none'"):
        train(tf.StandardModel(network()), tmp_path, save_models="none")


def test_notebook_mode_shows_a_notebooks_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tqdm.notebook

    bars = []

    class Bar:
        def __init__(self, **arguments: object) -> None:
            bars.append(self)
            self.updates, self.is_open, self.total = 0, True, arguments["total"]

        def update(self) -> None:
            self.updates += 1

        def set_postfix(self, values: dict[str, str], refresh: bool) -> None:
            assert "train_loss" in values

        def close(self) -> None:
            self.is_open = False

    monkeypatch.setattr(tqdm.notebook, "tqdm", Bar)
    train(tf.StandardModel(network()), tmp_path, batch_log=True, notebook_mode=True)
    assert [(bar.updates, bar.total, bar.is_open) for bar in bars] == [(10, 10, False)]


def test_a_network_for_mnist_has_a_summary() -> None:
    net = nn.Sequential(tf.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    text = str(tf.StandardModel(net).summary((1, 28, 28)))
    assert "Linear_1" in text
    assert "(1, 784)" in text
    assert "parameters 79,510, trainable 79,510" in text


def test_a_saved_model_is_loaded_again(tmp_path: Path) -> None:
    one, other = tf.StandardModel(network()), tf.StandardModel(network())
    inputs = digits().tensors[0]
    assert not torch.equal(one.predict(inputs), other.predict(inputs))
    one.save_model(tmp_path / "model.pth")
    other.load_model(tmp_path / "model.pth")
    assert torch.equal(one.predict(inputs), other.predict(inputs))
    plain = torch.load(tmp_path / "model.pth", weights_only=True)
    assert list(plain) == ["1.weight", "1.bias", "3.weight", "3.bias"]


def test_prediction_takes_tensors_and_loaders() -> None:
    trainer = tf.StandardModel(network())
    data = digits(train=False)
    whole = trainer.predict(data.tensors[0])
    assert whole.shape == (360, 10)
    assert not whole.requires_grad
    assert torch.allclose(trainer.predict(loader(train=False)), whole, atol=1e-6)
    inputs_only = torch.utils.data.DataLoader(data.tensors[0], batch_size=100)
    assert torch.allclose(trainer.predict(inputs_only), whole, atol=1e-6)
    shares = trainer.predict(data.tensors[0], apply_softmax=True)
    assert torch.allclose(shares, whole.softmax(1))


def test_evaluation_measures_without_training(tmp_path: Path) -> None:
    trainer = tf.StandardModel(network())
    train(trainer, tmp_path, num_epochs=3)
    metric = tf.Accuracy(name="Top 1 Acc ")
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    values = trainer.evaluate(loader(train=False), [metric])
    inputs, targets = digits(train=False).tensors
    hits = trainer.predict(inputs).argmax(1).eq(targets).double().mean().item()
    assert values == {"Top 1 Acc ": hits} == {"Top 1 Acc ": metric.getValue()}
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert trainer.evaluate(loader(train=False), [metric]) == values, "an evaluation counts by itself"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
