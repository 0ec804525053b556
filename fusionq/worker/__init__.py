"""The worker: a Celery worker whose threads supervise job processes. Only its job processes see torch."""
