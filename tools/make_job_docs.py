"""Write `docs/job-file.md` from the model of the job file. Run it after a key changed."""

from __future__ import annotations

from pathlib import Path

from fusionq.spec.describe import ANY_NAME, Key, keys
from fusionq.spec.failures import FAILURES, counter_of
from fusionq.spec.job import RetrySection

OUTPUT = Path(__file__).parents[1] / "docs" / "job-file.md"

HEAD = """# The job file

Written by `tools/make_job_docs.py` from the model that checks job files.

- `_target_` is an import path, with the keyword arguments beside it and positional ones under `_args_`.
  A short name is looked up where its section implies: `torch.nn` (model, loss), `torch.optim`,
  `torch.optim.lr_scheduler`, `torchvision.datasets`, `torchvision.transforms.v2`, `fusionq`.
  `class_path` with `init_args`, and `_component_`, are read as synonyms.
- Durations are `30s`, `10m`, `2h30m`; intervals are `1ep`, `500ba` or a duration; sizes are `20GB`, `16GiB`.
  `1e-3` is a number.
- KEY stands for any name, or for the number of an item in a list, from 0.
- `${VAR}` and `${VAR:-default}` come from the environment; `$${VAR}` is the text itself.
- On the command line, `key.path=value` changes any key: `fusionq submit job.yaml optimizer.lr=1e-2`.

| key | type | default | what it says |
|---|---|---|---|
"""

FAILURES_HEAD = """
## How an attempt fails

The class stands in the record of the job (`fusionq status JOB`). `retry.on` says which are tried again: a
list, or a block with a rule for each, such as `on: {oom: {max: 1}, data_error: {max: 5, backoff: 1m}}`. A
wait is twice as long each time, and up to half as long again by chance, so that jobs that fell together do
not rise together. What a shutdown, a queue or a hold sends back uses up no retry.

| class | what happened | tried again unasked | counts in `retry.on` as | what to do |
|---|---|---|---|---|
"""


def row(key: Key) -> str:
    name = key.dotted.replace(ANY_NAME, "KEY")
    default = "required" if key.required else f"`{key.default_text}`" if key.default_text else "none"
    words = key.description.replace("|", "\\|")
    return f"| `{name}` | {key.type_text} | {default} | {words} |"


def text() -> str:
    rows = [row(key) for key in keys() if not key.is_section]
    return HEAD + "\n".join(rows) + "\n" + FAILURES_HEAD + "\n".join(failure_rows()) + "\n"


def failure_rows() -> list[str]:
    again = RetrySection().on
    return [
        f"| `{name}` | {failure.words} | {'yes' if counter_of(name) in again else 'no'} "
        f"| {failure.counts_as and f'`{failure.counts_as}`'} | {failure.next_step} |"
        for name, failure in FAILURES.items()
    ]


if __name__ == "__main__":
    OUTPUT.write_text(text())
    print(OUTPUT)
