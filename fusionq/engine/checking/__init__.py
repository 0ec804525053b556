"""Checks a job before it trains: on a laptop by `python -m fusionq.engine.checking`, and on the worker."""

from fusionq.engine.checking.check_before_training import check_first
from fusionq.engine.checking.deep import check_deeply
from fusionq.spec.verdict import Verdict

__all__ = ["Verdict", "check_deeply", "check_first"]
