"""The tree of errors. Each class carries the exit code that the command line ends with.

Every message is one line: the cause first; `hint` is the next step for the person.
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_OTHER = 70
"""Of an error without a code of its own: EX_SOFTWARE of sysexits.h. 1 is left to a job that failed."""


class FusionqError(Exception):
    """Any error that fusionq explains to the user in one line."""

    exit_code = EXIT_OTHER

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def full(self) -> str:
        """What the command line prints."""
        return f"fusionq: {self}"


class UsageError(FusionqError):
    """The command or its arguments are wrong."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One mistake in a job file: where it stands, what is wrong, and how it looks there."""

    where: str
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"

    def full(self) -> str:
        """With the lines of the file."""
        return f"{self}\n{self.excerpt}" if self.excerpt else str(self)


MOST_PROBLEMS = 100
"""Nobody reads more; whoever looks for mistakes may stop there."""


class SpecError(UsageError):
    """A job file is wrong; `problems` holds every mistake that was found, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def full(self) -> str:
        """Every mistake with the lines of its file."""
        told = [problem.full() for problem in self.problems[:MOST_PROBLEMS]]
        if len(self.problems) >= MOST_PROBLEMS:
            told.append(f"fusionq: these are the first {MOST_PROBLEMS} mistakes; there may be more")
        return "\n".join(told)


class NotFoundError(FusionqError):
    """No job, worker or file answers to that name."""

    exit_code = 3


class StoreUnavailableError(FusionqError):
    """Redis cannot be reached, or refuses us.

    `is_for_all`: the same holds for everybody, so nobody can change anything meanwhile. `is_lost`: there was
    a connection and no answer came, so what was asked may have been done.
    """

    exit_code = 6
    is_for_all = False
    is_lost = False


class StateError(FusionqError):
    """A job, a worker or a Redis is in a state in which this cannot be done, such as a job that has ended."""

    exit_code = 7


class BlobGoneError(FusionqError):
    """What a record points to is not stored any more; whoever has it puts it again."""


class WorkerError(FusionqError):
    """A worker cannot start or cannot go on."""

    exit_code = 8


class EngineError(FusionqError):
    """Training cannot go on. A class that `retry.on` does not know is never tried again."""

    failure_class = "error"


class TargetError(EngineError):
    """A `_target_` cannot be imported or called with these arguments."""

    failure_class = "import_error"


class CheckError(EngineError):
    """A job cannot work, whatever its data says; found before it touched a GPU."""

    failure_class = "spec_error"


class DataError(EngineError):
    """A data set is missing, empty or of the wrong form."""

    failure_class = "data_error"


class HookError(EngineError):
    """A trainer's hook is missing, doubled or breaks its promise."""


class MetricError(EngineError):
    """A metric returned something that is not a number."""


class LossError(EngineError):
    """The loss of these outputs and targets would be another than is meant."""


class NonFiniteLossError(EngineError):
    """The loss became infinite or not a number."""

    failure_class = "non_finite_loss"


class CheckpointError(EngineError):
    """A checkpoint does not belong to this model, or none that is whole can be read."""
