"""The command line: one verb per file. It only adds words to what the layers below can do."""

from __future__ import annotations


def main() -> None:
    """The `fusionq` command."""
    from fusionq.cli.app import run

    run()
