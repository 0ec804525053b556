"""What a check has found so far."""

from __future__ import annotations

from fusionq.spec.reader import Path_, dotted


class Findings:
    """Collects problems and notes, each once."""

    def __init__(self) -> None:
        self.problems: list[tuple[Path_, str]] = []
        self.notes: list[str] = []

    def problem(self, place: Path_, text: str) -> None:
        """Something that would end the job. `text` may name the place itself, as the engine's errors do."""
        name = dotted(place)
        named = text.startswith((f"{name}:", f"{name}."))
        self._add(self.problems, (place, text if named else f"{name}: {text}"))

    def note(self, text: str) -> None:
        """Something that could not be checked."""
        self._add(self.notes, text)

    def is_wrong(self, *place: str | int) -> bool:
        """Whether a problem was found at `place` or below it."""
        return any(found[: len(place)] == place for found, _ in self.problems)

    @staticmethod
    def _add(items: list, item: object) -> None:
        if item not in items:
            items.append(item)
