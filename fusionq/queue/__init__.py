"""What stands between a submission and a worker: the planner, and Celery as a client."""
