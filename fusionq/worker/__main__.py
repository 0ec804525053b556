"""`python -P -m fusionq.worker`: one worker, set up by the environment (see `fusionq.worker.options`)."""

from __future__ import annotations

import os
import sys
import warnings


def main() -> None:
    # Celery warns root of pickled messages; ours are JSON, and containers often run as root.
    warnings.filterwarnings("ignore", message="(?s).*superuser privileges")
    from fusionq.worker.app import app, exit_code

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
    sys.exit(exit_code())


if __name__ == "__main__":
    main()
