"""Redis holds the truth: every key, the atomic moves of jobs, log and metric streams, the workers."""
