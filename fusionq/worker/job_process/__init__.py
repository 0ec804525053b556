"""The process that trains, from its fork to its exit. Within the worker, torch is imported here alone."""
