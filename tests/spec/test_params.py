"""How the parameters of a trial are written for people."""

from __future__ import annotations

from fusionq.spec.params import short_names, short_params_text


def test_a_key_is_its_last_part_and_a_long_one_its_initials():
    params = {"optimizer.lr": 0.01, "data.batch_size": 32, "optimizer.weight_decay": 0.0}
    assert short_params_text(params) == "lr=0.01 bs=32 wd=0"


def test_names_that_would_be_the_same_stay_longer():
    assert short_names(["a.batch_size", "b.block_shape"]) == {
        "a.batch_size": "batch_size",
        "b.block_shape": "block_shape",
    }
    assert short_names(["a.lr", "b.lr"]) == {"a.lr": "a.lr", "b.lr": "b.lr"}
