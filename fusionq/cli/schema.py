from __future__ import annotations

from pathlib import Path

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it to this file instead.")
@verb
def schema(session: Session, output: Path | None) -> None:
    """Print the JSON Schema of the job file: editors complete its keys with it and mark mistakes.

    \b
    fusionq schema -o job.schema.json
    VS Code, with its YAML extension, in .vscode/settings.json:
      "yaml.schemas": {"job.schema.json": ["job.yaml", "jobs/*.yaml"]}
    or as the first line of a job file, seen from its folder:
      # yaml-language-server: $schema=job.schema.json
    """
    import json

    from fusionq.spec.schema import job_schema

    text = json.dumps(job_schema(), indent=2, ensure_ascii=False)
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
    say(f'  in VS Code\'s settings  "yaml.schemas": {{"{output}": ["job.yaml", "jobs/*.yaml"]}}')
