"""Processes of this machine: which belong to a job, which is alive, and how to end them."""
