from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError

# Each template, and the file that it needs beside it.
TEMPLATES = {"mlp": "", "cnn": "", "resnet": "", "custom-trainer": "my_trainer.py", "predict": ""}


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default="job.yaml")
@click.option(
    "--template",
    type=click.Choice(list(TEMPLATES)),
    default="mlp",
    show_default=True,
    help="What the job does.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Include every key of a job file, with its type, its default and an explanation.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@verb
def init(session: Session, file: Path, template: str, full: bool, force: bool) -> None:
    """Write a job FILE to start from (job.yaml).

    \b
    fusionq init
    fusionq init --full
    fusionq init mnist.yaml --template cnn

    \b
    mlp             a small network on handwritten digits, without a download
    cnn             a convolutional network on MNIST
    resnet          ResNet-18 on CIFAR-10, with augmentation, in bf16
    custom-trainer  training steps of your own, in my_trainer.py
    predict         the outputs of the model of another job
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder", hint=f"name a file in it: fusionq init {file / 'job.yaml'}")
    _write(file, _job_file(template, full=full), force)
    click.echo(file)
    companion = TEMPLATES[template]
    if companion:
        _write_companion(file.with_name(companion), force)
    _say_next(file, has_companion=bool(companion))


def _job_file(template: str, *, full: bool) -> str:
    text = _text_of(f"{template}.yaml")
    if not full:
        return f"{text.rstrip()}\n\n# Every other key, explained: fusionq init --full\n"
    from fusionq.spec.scaffold import commented

    return commented(text)


def _write_companion(path: Path, force: bool) -> None:
    """A file of the person's own may have this name; only --force takes it away."""
    if path.exists() and not force:
        say(f"{path} is there already and stays as it is; --force writes it anew")
        return
    _write(path, _text_of(path.name), force)
    click.echo(path)


def _say_next(file: Path, *, has_companion: bool) -> None:
    if has_companion and file.parent != Path():
        say(f"your code is looked for where you submit; first: cd {file.parent}")
        file = Path(file.name)
    say(f"  check it  fusionq validate {file}")
    say(f"  run it    fusionq run {file}")
    say(f"  queue it  fusionq submit {file}")


def _text_of(name: str) -> str:
    return resources.files("fusionq.cli").joinpath("templates", name).read_text(encoding="utf-8")


def _write(path: Path, text: str, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already", hint="name another file, or overwrite it with --force"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error
