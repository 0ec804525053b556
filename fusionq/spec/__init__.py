"""Plain data that every layer shares: the job file, the job record, states, events, paths, settings."""
