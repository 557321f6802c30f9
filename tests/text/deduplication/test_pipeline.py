"""One copy of each stays, whatever the order, the batch or the process."""

import numpy as np
import pytest

from scratchlm.foundation import parallel
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.deduplication import minhash
from scratchlm.text.deduplication.minhash import distinct, jaccard
from scratchlm.text.deduplication.pipeline import (
    DedupConfig,
    deduplicate,
    fingerprint,
)
from scratchlm.text.deduplication.shingles import shingle

DOCS = [text for text in python_docs(200_000) if len(text) > 400]


def with_copies(seed=0):
    """Texts and edited copies of some, shuffled, with their origin."""
    rng = np.random.default_rng(seed)
    texts = [(text, i) for i, text in enumerate(DOCS)]
    for i in range(0, len(DOCS), 4):
        words = DOCS[i].split(" ")
        words[len(words) // 2] = "EDITED"
        texts += [(" ".join(words), i), (DOCS[i].upper(), i)]
    return [texts[i] for i in rng.permutation(len(texts))]


def test_planted_copies_are_found_and_nothing_else():
    """A copy that differs in one word, or only in case, stays."""
    planted = with_copies()
    found = deduplicate(
        [text for text, _ in planted], DedupConfig(verify=True)
    )
    origins = [planted[i][1] for i in found.kept]
    sets = distinct(shingle(DOCS))
    pairs = np.array([(i, j) for i in range(len(DOCS)) for j in range(i)])
    assert jaccard(sets, pairs).max() < 0.75  # the topics are no copies
    assert sorted(origins) == list(range(len(DOCS)))
    assert found.report.exact == len(DOCS[::4])
    assert found.report.near == len(DOCS[::4])
    assert found.report.largest == 3
    assert found.report.clusters == len(DOCS[::4])
    assert found.report.documents == len(planted)
    assert found.report.kept == len(DOCS)


def test_the_first_of_a_cluster_stays():
    """A rule that keeps whom the sort left in front."""
    planted = with_copies()
    found = deduplicate([text for text, _ in planted])
    first = {}
    for place, (_, origin) in enumerate(planted):
        first.setdefault(origin, place)
    assert found.kept.tolist() == sorted(first.values())
    assert (found.cluster[found.kept] == found.kept).all()


def test_the_longest_does_not_depend_on_the_order():
    """A corpus that is another one after its files were listed anew."""
    kept = set()
    for seed in range(3):
        texts = [text for text, _ in with_copies(seed)]
        found = deduplicate(texts, DedupConfig(keep="longest"))
        kept.add(tuple(sorted(texts[i].lower() for i in found.kept)))
    assert len(kept) == 1


def test_the_first_does_depend_on_the_order():
    """The other side of the trap, so that the chapter may claim it."""
    pair = ["she sells sea shells", "SHE SELLS SEA SHELLS"]
    for texts in (pair, pair[::-1]):
        assert deduplicate(texts).kept.tolist() == [0]


@pytest.mark.parametrize("verify", [False, True])
def test_a_chain_becomes_one_cluster(verify):
    """Each text is like the next, the last is unlike the first, and one of
    all stays: a transitive link forgets how far it has come."""
    words = [f"w{i}" for i in range(400)]
    chain = [" ".join(words[i : i + 200]) for i in range(0, 201, 5)]
    config = DedupConfig(bands=50, rows=2, verify=verify)
    found = deduplicate(chain, config)
    assert found.kept.tolist() == [0]
    ends = jaccard(distinct(shingle(chain)), np.array([[0, len(chain) - 1]]))
    assert ends == 0


@pytest.mark.parametrize("verify", [False, True])
def test_batches_and_processes_change_nothing(monkeypatch, verify):
    """Sets of the second batch looked up in the first."""
    texts = [text for text, _ in with_copies()]
    config = DedupConfig(verify=verify)
    whole = deduplicate(iter(texts), config)
    monkeypatch.setattr(parallel, "BATCH", 20_000)
    monkeypatch.setattr(minhash, "TEXT_BLOCK", 7_000)
    for workers in (1, 2):
        parts = deduplicate(texts, config, workers=workers)
        assert np.array_equal(parts.cluster, whole.cluster)
        assert parts.report == whole.report


def test_verification_only_takes_links_away():
    """Pairs that meet by chance stay linked; or similar ones are cut."""
    texts = [text for text, _ in with_copies()]
    loose = DedupConfig(bands=56, rows=2)
    strict = DedupConfig(bands=56, rows=2, verify=True, threshold=0.9)
    many, few = deduplicate(texts, loose), deduplicate(texts, strict)
    assert len(many.kept) < len(few.kept)
    assert set(many.kept) <= set(few.kept)
    assert (many.cluster[few.cluster] == many.cluster).all()


def test_exact_only():
    """Near copies dropped although nobody asked for it."""
    texts = [text for text, _ in with_copies()]
    found = deduplicate(texts, DedupConfig(near=False))
    assert found.report.exact == len(DOCS[::4])
    assert found.report.near == 0
    assert fingerprint(texts, DedupConfig(near=False)).keys.shape[1] == 1


def test_short_and_empty_texts():
    """All texts below five words as one cluster, or none of them ever."""
    texts = ["", "a b", "!", "A B.", "a b c", "?", ""]
    found = deduplicate(texts)
    assert found.kept.tolist() == [0, 1, 2, 4, 5]
    assert found.cluster.tolist() == [0, 1, 2, 1, 4, 5, 0]
    assert found.report.exact == found.report.near == 1
    assert deduplicate(texts, DedupConfig(unit="characters")).report.near == 1


@pytest.mark.parametrize("verify", [False, True])
def test_no_text_at_all(verify):
    """An empty corpus raises in the middle of numpy."""
    found = deduplicate([], DedupConfig(verify=verify))
    assert found.kept.tolist() == []
    assert (found.report.documents, found.report.largest) == (0, 0)


def test_a_progress_bar_counts_documents(capsys):
    """A bar that is drawn where nobody asked for one, or never."""
    deduplicate(["a", "b"])
    assert capsys.readouterr().err == ""
    deduplicate(["a", "b"], progress=True)
    assert "2 docs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"bands": 0}, "bands is 0"),
        ({"rows": 0}, "rows is 0"),
        ({"shingle": -1}, "shingle is -1"),
        ({"seed": -1}, "seed is -1; give 0 or more"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
    ],
)
def test_a_bad_configuration_is_named(values, named):
    """Nonsense found after hours, or never."""
    with pytest.raises(ValueError, match=named):
        DedupConfig(**values)


def test_one_string_is_refused():
    """A text taken for a list of letters."""
    with pytest.raises(ValueError, match="one string"):
        deduplicate("a text")
