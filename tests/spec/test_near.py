"""What a person may have meant by a wrong word."""

from __future__ import annotations

from fusionq.spec.near import did_you_mean


def test_a_near_word_is_proposed_and_a_short_list_is_shown():
    assert did_you_mean("epohcs", ["epochs", "seed"]) == "; did you mean 'epochs'?"
    assert did_you_mean("adamw", ["AdamW", "Adam"]) == "; did you mean 'AdamW'?"
    assert did_you_mean("Adma", ["Adamax", "Adam"]) == "; did you mean 'Adam'?"
    assert did_you_mean("learning_rate", ["lr", "eps"]) == "; did you mean 'lr'?"
    assert did_you_mean("wd", ["weight_decay", "eps"]) == "; did you mean 'weight_decay'?"
    assert did_you_mean("xyz", ["b", "a"]) == "; valid here: a, b"
    assert did_you_mean("xyz", []) == ""
    assert did_you_mean("xyz", [f"name{i}" for i in range(20)]) == ""
