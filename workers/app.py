"""What `celery -A workers.app worker -P threads` loads in a checkout (installed: `fusionq.worker.app`)."""

from __future__ import annotations

from fusionq.worker.app import app

__all__ = ["app"]
