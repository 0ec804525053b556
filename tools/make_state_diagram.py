"""Draw the life of a job into `docs/layers.md` from the table of its moves. Run it after a move changed."""

from __future__ import annotations

import re
from pathlib import Path

from fusionq.spec.states import FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES

OUTPUT = Path(__file__).parents[1] / "docs" / "layers.md"
PICTURE = re.compile(r"```mermaid\nstateDiagram-v2\n.*?```\n", re.S)


def picture() -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    for table in (FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES):
        for start, ends in table.items():
            lines += [f"    {start or '[*]'} --> {end}: {why}" for end, why in ends.items()]
    return "\n".join([*lines, "```", ""])


def text() -> str:
    """The page with the picture as it should be."""
    drawn, count = PICTURE.subn(lambda _: picture(), OUTPUT.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{OUTPUT} must hold one state diagram, and holds {count}")
    return drawn


if __name__ == "__main__":
    OUTPUT.write_text(text())
    print(OUTPUT)
