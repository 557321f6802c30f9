"""The classifier: equal to its formula, to scipy, and to itself."""

import subprocess
import sys
import zlib

import numpy as np
import pytest

from scratchlm.text.cleaning.messy_web import messy_pages
from scratchlm.text.cleaning.quality import (
    HashedNgrams,
    QualityClassifier,
    SparseRows,
    fit_logistic,
)
from scratchlm.text.cleaning.roc import auc
from scratchlm.text.cleaning.steps import Rejection, Rule
from scratchlm.text.corpora.interpreter import python_docs

GOOD = [doc[:600] for doc in python_docs(120_000)]
BAD = ["buy cheap watches now " * 20 + word for word in "abcdefghij"]


def dense(rows):
    matrix = np.zeros(rows.shape)
    np.add.at(matrix, (rows.row, rows.column), rows.value)
    return matrix


def test_features_by_hand():
    """N-grams over the end of the text; a place that counts a word twice
    because the word occurs twice."""
    features = HashedNgrams(n_features=1000, orders=(1, 2))
    grams = ["the", "sea", "the sea", "sea the"]
    expected = sorted(zlib.crc32(gram.encode()) % 1000 for gram in grams)
    assert features.places("The sea  the\nsea").tolist() == expected
    assert features.places("").tolist() == []


def test_rows_have_unit_length():
    """Long texts that count for more than short ones."""
    rows = HashedNgrams(n_features=7).rows(["a", "a b c d e f g h", ""])
    lengths = np.linalg.norm(dense(rows), axis=1)
    assert lengths == pytest.approx([1, 1, 0])


def test_sparse_products_equal_dense_ones():
    """Rows and columns exchanged; empty rows at the end dropped."""
    rows = HashedNgrams(n_features=11).rows(["a b", "", "b c a", ""])
    matrix = dense(rows)
    rng = np.random.default_rng(0)
    column, row = rng.normal(size=11), rng.normal(size=4)
    assert rows.times(column) == pytest.approx(matrix @ column)
    assert rows.transposed_times(row) == pytest.approx(matrix.T @ row)
    assert SparseRows.of([], 3).times(np.ones(3)).shape == (0,)


def test_the_fit_equals_scipy():
    """A gradient that forgets the penalty or the bias, a step that is too
    long, a descent that stops early."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefgh"), 6)) for _ in range(60)]
    labels = np.array([float("a" in text) for text in texts])
    labels[:6] = 1 - labels[:6]
    rows = HashedNgrams(n_features=32, orders=(1,)).rows(texts)
    matrix = dense(rows)
    penalty = 1e-2

    def loss(parameters):
        logits = matrix @ parameters[:-1] + parameters[-1]
        losses = np.logaddexp(0, logits) - labels * logits
        return losses.mean() + penalty / 2 * (parameters[:-1] ** 2).sum()

    from scipy import optimize

    best = optimize.minimize(loss, np.zeros(33), tol=1e-10)
    weights, bias = fit_logistic(rows, labels, penalty=penalty, steps=2000)
    assert loss(np.append(weights, bias)) <= best.fun + 1e-9
    assert np.append(weights, bias) == pytest.approx(best.x, abs=1e-3)


def test_it_tells_prose_from_spam_that_it_has_not_seen():
    """Scores with their sign reversed."""
    classifier = QualityClassifier.train(GOOD[::2], BAD[::2])
    scores = classifier.logits([*GOOD[1::2], *BAD[1::2]])
    good = np.arange(len(scores)) < len(GOOD[1::2])
    assert auc(scores, good) > 0.99
    assert 0 < classifier.probability(BAD[1]) < 0.5
    assert 0.5 < classifier.probability(GOOD[1]) < 1


def test_what_templates_teach_is_no_use_elsewhere():
    """A grade on the generator's own pages is no evidence: taught by them,
    the classifier keeps real prose and the same words shuffled alike."""
    pages = list(messy_pages(200, seed=1))
    taught = QualityClassifier.train(
        [page.body for page in pages if page.kind == "article"],
        [page.body for page in pages if page.kind == "keyword spam"],
    )
    words = [text.split() for text in GOOD]
    rng = np.random.default_rng(0)
    shuffled = [" ".join(rng.permutation(some)) for some in words]
    for texts in [GOOD, shuffled]:
        kept = [taught.probability(text) >= 0.5 for text in texts]
        assert np.mean(kept) > 0.9


def test_as_a_step_it_is_a_rule():
    """A numpy number where a rule promises a float."""
    classifier = QualityClassifier.train(GOOD[:9], BAD, steps=50)
    step = Rule(name="classifier", measure=classifier.probability, low=0.5)
    assert step(GOOD[0]) == GOOD[0]
    assert isinstance(step(BAD[0]), Rejection)


def test_every_process_gives_the_same_weights():
    """hash() of a string, which each process salts anew."""
    program = (
        "from scratchlm.text.cleaning.quality import *\n"
        "c = QualityClassifier.train(['a b c'], ['d e f'], steps=9)\n"
        "print(c.weights[c.weights.nonzero()], c.bias)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_half_a_surrogate_pair_has_a_place():
    """One broken page that ends a run of a million."""
    assert len(HashedNgrams().places("a \ud800")) == 3


@pytest.mark.parametrize(
    "options", [{"n_features": 0}, {"orders": ()}, {"orders": (0, 1)}]
)
def test_bad_features_are_named(options):
    """A vector without places."""
    with pytest.raises(ValueError, match="at least one"):
        HashedNgrams(**options)


@pytest.mark.parametrize(("good", "bad"), [([], ["a"]), (["a"], [])])
def test_one_kind_alone_is_refused(good, bad):
    """A classifier that has learnt to say yes."""
    with pytest.raises(ValueError, match="both kinds"):
        QualityClassifier.train(good, bad)
