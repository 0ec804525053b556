"""Data sets, and the batches that they are fed in."""
