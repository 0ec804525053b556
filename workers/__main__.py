"""`python -m workers`: one worker, set up by the environment (see `workers.options`)."""

from __future__ import annotations

import os


def main() -> None:
    from workers.app import app

    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=WARNING",
            f"--hostname=fusionq-{os.getpid()}@%h",
        ]
    )


if __name__ == "__main__":
    main()
