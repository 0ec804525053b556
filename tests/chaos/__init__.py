"""Faults of every kind, given to real workers that train real jobs on a real Redis.

`python -m tests.chaos --minutes 10 --seed N` prints what was done and what became of it; a short form runs
with the other tests.
"""
