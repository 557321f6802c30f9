"""Training a unigram model: EM, pruning, and what must not be pruned."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.unigram import training
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.unigram.training import (
    LEAST,
    UnigramTrainer,
    digamma,
    runs_of,
)
from scratchlm.text.tokenizer.training import count_pieces

EXAMPLE = "she sells sea shells"
DOCS = list(python_docs(40_000))


@cache
def counts():
    return count_pieces(DOCS, "gpt2", workers=1)


@given(st.floats(1e-6, 1e9))
def test_digamma_equals_scipy(x):
    """A series that is used where it does not converge."""
    from scipy.special import digamma as reference

    (ours,) = digamma(np.array([x]))
    assert ours == pytest.approx(reference(x), rel=1e-9, abs=1e-9)


def test_expectation_maximisation_never_loses(monkeypatch):
    """The theorem behind the algorithm; a wrong expected count breaks it.
    It holds for the logarithm in place of the digamma function."""
    monkeypatch.setattr(training, "digamma", np.log)
    monkeypatch.setattr(training, "LEAST", 1e-300)
    trainer = UnigramTrainer(counts(), 3000)
    history = [trainer.step(drop=False) for _ in range(12)]
    assert all(b >= a - 1e-6 for a, b in pairwise(history))
    assert history[-1] > history[0]
    assert np.exp(trainer.scores).sum() == pytest.approx(1)


def test_the_loss_estimates_the_change_of_the_likelihood():
    """A loss of the wrong sign, or of a token's rank and not its use: drop
    each token for itself and compare with what was foretold."""
    trainer = UnigramTrainer(counts(), 400)
    for _ in range(3):
        trainer.step(drop=False)
    losses = trainer.losses()
    _, before = trainer.corpus.expected_counts(trainer.scores)
    true, foretold = [], []
    for i in np.flatnonzero(trainer.lengths > 1)[::12].tolist():
        scores = trainer.scores.copy()
        scores[i] = -1e9
        _, after = trainer.corpus.expected_counts(scores)
        true.append(before - after)
        foretold.append(losses[i])
    assert np.corrcoef(true, foretold)[0, 1] > 0.9


def test_single_characters_are_never_pruned():
    """A character seldom seen alone, pruned as useless: then a new word
    with it has no segmentation, and forward returns minus infinity."""
    trainer = UnigramTrainer(counts(), 3000)
    alphabet = set().union(*counts())
    trainer.prune_to(1500)
    assert alphabet <= set(trainer.vocabulary)
    expected, _ = trainer.corpus.expected_counts(trainer.scores)
    rare = expected[trainer.lengths == 1] < LEAST
    assert rare.any()  # so that the guard was needed
    assert np.isfinite(trainer.scores).all()


def test_pruning_reaches_the_size_and_keeps_what_is_missed():
    """Tokens kept at random: the likelihood shows it."""
    trainer = UnigramTrainer(counts(), 20_000)
    trainer.prune_to(600)
    assert len(trainer.vocabulary) == 600
    chance = UnigramTrainer(counts(), 20_000)
    rng = np.random.default_rng(0)
    n_longer = int((chance.lengths > 1).sum())
    wanted = 600 - int((chance.lengths == 1).sum())
    kept = chance.lengths == 1
    kept[np.flatnonzero(~kept)[rng.permutation(n_longer)[:wanted]]] = True
    chance._keep(kept)
    chance.prune_to(600)
    assert trainer.step(drop=False) > 0.8 * chance.step(drop=False)


def test_the_order_of_the_corpus_does_not_matter():
    """Ties broken by which document came first."""
    turned = UnigramTokenizer.train(DOCS[::-1], 800, workers=1)
    ours = UnigramTokenizer.train(DOCS, 800, workers=1)
    assert list(turned.vocab) == list(ours.vocab)
    for token, score in ours.scores.items():
        assert turned.scores[token] == pytest.approx(score)


@pytest.mark.parametrize("byte_fallback", [True, False])
def test_layout_of_the_ids(byte_fallback, capsys):
    """Special tokens that shift the ids of the others."""
    tokenizer = UnigramTokenizer.train(
        DOCS,
        900,
        special_tokens=["<|b|>", "<|a|>"],
        byte_fallback=byte_fallback,
        progress=True,
    )
    assert tokenizer.special_tokens == {"<|b|>": 898, "<|a|>": 899}
    assert tokenizer.byte_ids == (tuple(range(256)) if byte_fallback else ())
    assert tokenizer.unknown_id == (None if byte_fallback else 0)
    assert tokenizer.vocab_size == 900
    assert "pruned" in capsys.readouterr().err


def test_worked_example():
    """The chapter's words, and the package, part ways."""
    with pytest.warns(UserWarning, match="repeats only"):
        tokenizer = UnigramTokenizer.train([EXAMPLE] * 3, 400, coverage=1.0)
    assert tokenizer.decode(tokenizer.encode(EXAMPLE)) == EXAMPLE


def test_pieces_are_cut_at_characters_without_a_token():
    """A piece with one rare character, lost as a whole."""
    runs = runs_of({"abé": 2, "é": 3, "cab": 1, "b": 1}, {"a", "b", "c"})
    assert runs == {"ab": 2, "cab": 1, "b": 1}
    rare = UnigramTokenizer.train([*DOCS, "日本"], 800, coverage=0.999)
    assert "日" not in rare.vocab
    assert rare.decode(rare.encode("日本 the")) == "日本 the"


@pytest.mark.parametrize(
    ("texts", "size", "options", "message"),
    [
        ([EXAMPLE], 260, {}, r"260.*256 bytes, 6 characters.*262"),
        ([EXAMPLE], 5, {"byte_fallback": False}, "the unknown token, 6"),
        ([], 300, {}, "no text"),
        (EXAMPLE, 300, {}, "one string"),
        ([EXAMPLE], 300, {"coverage": 0.0}, "coverage is 0.0"),
        ([EXAMPLE], 300, {"special_tokens": [""]}, "empty"),
    ],
)
def test_bad_input_is_named(texts, size, options, message):
    """A KeyError from the depths, or a vocabulary that is not as asked."""
    with pytest.raises(ValueError, match=message):
        UnigramTokenizer.train(texts, size, **options)
