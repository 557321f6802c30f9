import json
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.shards import batches as module
from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.rows import ChoppedRows, PackedRows
from scratchlm.text.shards.writing import ShardConfig, write_shards
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"


@cache
def trained():
    return BPETokenizer.train(["ab ab"], 258, special_tokens=[END])


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Texts in which each token says where it stands."""
    made = {}
    for name, first, n in (("a", 0x20, 40), ("b", 0x400, 30)):
        folder = tmp_path_factory.mktemp(name)
        docs = ["".join(chr(first + i) for i in range(n))] * 3
        config = ShardConfig(shard_tokens=10)
        made[name] = write_shards(docs, trained(), folder, config, workers=1)
    return made


@pytest.fixture(scope="module")
def rows(corpora):
    return ChoppedRows(corpora["a"], 5)


def numbers(rows, config, steps, **ranks):
    """Which rows each step takes, by asking the order for them."""
    batches = Batches(rows, config, **ranks)
    part = config.batch_size // batches.world_size
    found = []
    for step in range(steps):
        start = step * config.batch_size + batches.rank * part
        found += batches.order(start, start + part)[1].tolist()
    return found


def test_each_epoch_takes_each_row_once(rows):
    """Rows drawn with replacement; a last batch that is dropped, so that
    some rows are never seen."""
    config = BatchConfig(batch_size=4)
    order = numbers(rows, config, 3 * len(rows))
    epochs = [order[i * len(rows) :][: len(rows)] for i in range(12)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(len(rows)))
    assert len(set(map(tuple, epochs))) == 12


def test_no_batch_is_short(rows):
    """A last batch that only some ranks have: the others wait for ever."""
    assert len(rows) % 9
    for rank in range(3):
        batches = Batches(
            rows, BatchConfig(batch_size=9), rank=rank, world_size=3
        )
        shapes = {next(batches).tokens.shape for _ in range(len(rows))}
        assert shapes == {(3, 5)}


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_ranks_share_each_batch(rows, world_size):
    """Ranks with seeds of their own that see some rows twice and some
    never; or with the same rows each, W times the work for one batch."""
    config = BatchConfig(batch_size=6, seed=7)
    ranks = [
        Batches(rows, config, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    alone = Batches(rows, config)
    for _ in range(10):
        parts = np.concatenate([next(rank).tokens for rank in ranks])
        assert parts.tolist() == next(alone).tokens.tolist()


@pytest.fixture(scope="module")
def few_ahead():
    """Many ranks that put few samples in order at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AHEAD", 100)
        yield


@pytest.mark.usefixtures("few_ahead")
@settings(max_examples=50)
@given(
    st.integers(0, 30),
    st.sampled_from([1, 2, 3, 4, 6, 12]),
    st.sampled_from([1, 2, 3, 4, 6, 12]),
    st.sampled_from([12, 24]),
)
def test_resumed_at_another_world_size(rows, steps, before, after, size):
    """A restart that replays or skips rows, because each rank counted its
    own."""
    config = BatchConfig(batch_size=12, seed=1)
    total = 12 * steps + 48
    expected = Batches(rows, config).batch(0, total).tokens.tolist()
    seen, states = [], []
    first = [
        Batches(rows, config, rank=r, world_size=before) for r in range(before)
    ]
    for _ in range(steps):
        for rank in first:
            seen += next(rank).tokens.tolist()
    states = [json.dumps(rank.state_dict()) for rank in first]
    assert len(set(states)) == 1
    config = BatchConfig(batch_size=size, seed=1)
    second = [
        Batches(rows, config, rank=r, world_size=after) for r in range(after)
    ]
    for rank in second:
        rank.load_state_dict(json.loads(states[0]))
    for _ in range(48 // size):
        for rank in second:
            seen += next(rank).tokens.tolist()
    assert seen == expected


def test_a_resumed_run_equals_one_that_was_not_stopped(corpora):
    """Order, packing or mixture that hang on what ran before."""

    def make():
        return Batches(
            {name: PackedRows(s, 7) for name, s in corpora.items()},
            BatchConfig(batch_size=4, weights={"a": 0.7, "b": 0.3}),
        )

    whole = make()
    expected = [next(whole) for _ in range(40)]
    for stop in (0, 1, 17):
        run, again = make(), make()
        for _ in range(stop):
            next(run)
        again.load_state_dict(run.state_dict())
        for batch in expected[stop:]:
            new = next(again)
            for name in ("tokens", "targets", "documents", "positions"):
                left, right = getattr(new, name), getattr(batch, name)
                assert left.tolist() == right.tolist()


def test_the_order_does_not_hang_on_how_it_is_asked_for(rows, monkeypatch):
    """A border of the part that is computed ahead."""
    batches = Batches(rows, BatchConfig())
    expected = batches.order(0, 300)[1].tolist()
    monkeypatch.setattr(module, "AHEAD", 7)
    for size in (1, 3, 50):
        batches = Batches(rows, BatchConfig())
        parts = [batches.order(i, i + size)[1] for i in range(0, 300, size)]
        assert np.concatenate(parts).tolist() == expected
    assert batches.order(5, 8)[1].tolist() == expected[5:8]


def test_corpora_come_in_proportion(corpora):
    """A corpus that is used up and drops out of the mixture."""
    rows = {name: ChoppedRows(s, 5) for name, s in corpora.items()}
    weights = {"a": 0.75, "b": 0.25}
    config = BatchConfig(batch_size=10, weights=weights)
    batches = Batches(rows, config)
    seen = Counter()
    for step in range(1, 60):
        tokens = next(batches).tokens
        seen["a"] += int((tokens < 100).any(axis=1).sum())
        seen["b"] += int((tokens > 127).any(axis=1).sum())
        if step % 2 == 0:
            assert seen["a"] + seen["b"] >= step * 10
    assert batches.epochs == {
        "a": batches.mixture.counts(590)["a"] / len(rows["a"]),
        "b": batches.mixture.counts(590)["b"] / len(rows["b"]),
    }
    assert min(batches.epochs.values()) > 1
    corpus, row = batches.order(0, 4 * len(rows["b"]))
    assert sorted(row[corpus == 1]) == list(range(len(rows["b"])))


def test_without_shuffle(rows):
    """Rows shuffled all the same."""
    config = BatchConfig(batch_size=4, shuffle=False)
    assert numbers(rows, config, 3) == list(range(12))
    assert next(Batches(rows, config)).tokens.shape == (4, 5)


def test_seeds_differ(rows):
    """A seed that is never used."""
    orders = [
        tuple(numbers(rows, BatchConfig(batch_size=8, seed=seed), 3))
        for seed in (0, 1, 2**64 - 1)
    ]
    assert len(set(orders)) == 3


def test_a_state_of_another_sequence_is_refused(rows, corpora):
    """A run that resumes where another one stopped."""
    state = Batches(rows, BatchConfig()).state_dict()
    both = {name: ChoppedRows(s, 5) for name, s in corpora.items()}
    for other in (
        Batches(rows, BatchConfig(seed=1)),
        Batches(rows, BatchConfig(shuffle=False)),
        Batches(ChoppedRows(corpora["a"], 4), BatchConfig()),
        Batches(both, BatchConfig()),
    ):
        with pytest.raises(ValueError, match="another sequence of samples"):
            other.load_state_dict(state)
    batches = Batches(rows, BatchConfig())
    with pytest.raises(ValueError, match="lacks 'fingerprint'"):
        batches.load_state_dict({"samples_seen": 3})
    with pytest.raises(ValueError, match="samples_seen is -1"):
        batches.load_state_dict(state | {"samples_seen": -1})


@pytest.mark.parametrize(
    ("config", "ranks", "message"),
    [
        ({"batch_size": 0}, {}, "batch_size is 0; give 1"),
        ({"seed": -1}, {}, "seed is -1"),
        ({}, {"rank": 2, "world_size": 2}, "rank is 2 of 2; ranks are 0 to 1"),
        ({}, {"world_size": 3}, "3 ranks cannot share 32 rows equally"),
        ({"weights": {"b": 1}}, {}, r"corpora are \[''\].*for \['b'\]"),
    ],
)
def test_bad_settings_are_named(rows, config, ranks, message):
    """A rank without rows, or a division by zero."""
    with pytest.raises(ValueError, match=message):
        Batches(rows, BatchConfig(**config), **ranks)


def test_corpora_must_agree(corpora):
    """Rows of two lengths in one array; a mask for some batches only."""
    a, b = corpora["a"], corpora["b"]
    with pytest.raises(ValueError, match=r"of one length.*'a': 4, 'b': 5"):
        Batches(
            {"a": ChoppedRows(a, 4), "b": ChoppedRows(b, 5)}, BatchConfig()
        )
    empty = ChoppedRows(a, 5)
    empty.shards = type("NoTokens", (), {"n_tokens": 1})()
    with pytest.raises(ValueError, match="'b' has no rows; leave it out"):
        Batches({"a": ChoppedRows(a, 5), "b": empty}, BatchConfig())
    with pytest.raises(ValueError, match="documents=True"):
        Batches({"a": ChoppedRows(a, 5), "b": PackedRows(b, 5)}, BatchConfig())
