from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError

JOB_FILE = "job-file"
# The verbs whose --json has a schema.
OUTPUTS = ("status", "submit", "validate", "compare", "metrics", "workers", "queue", "doctor")


@click.command()
@click.option(
    "--of",
    "what",
    type=click.Choice([JOB_FILE, *OUTPUTS]),
    default=JOB_FILE,
    show_default=True,
    help="Of the job file, or of what a command prints with --json.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file instead.")
@verb
def schema(session: Session, what: str, output: Path | None) -> None:
    """Print the JSON Schema of the job file: editors complete its keys with it and mark mistakes.

    --of gives that of a command's --json instead. The version in it changes when a key is removed or
    changes its meaning.

    \b
    fusionq schema -o job.schema.json
    VS Code, with its YAML extension, in .vscode/settings.json:
      "yaml.schemas": {"job.schema.json": ["job.yaml", "jobs/*.yaml"]}
    or as the first line of a job file, seen from its folder:
      # yaml-language-server: $schema=job.schema.json
    """
    import json

    text = json.dumps(_schema_of(what), indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written: {error.strerror}", hint="name a file in a folder of yours"
        ) from error
    click.echo(output)
    if what == JOB_FILE:
        say(f'  in VS Code\'s settings  "yaml.schemas": {{"{output}": ["job.yaml", "jobs/*.yaml"]}}')


def _schema_of(what: str) -> dict[str, Any]:
    if what == JOB_FILE:
        from fusionq.spec.schema import job_schema

        return job_schema()
    from fusionq.client.json_schema import OUTPUTS

    return OUTPUTS[what]
