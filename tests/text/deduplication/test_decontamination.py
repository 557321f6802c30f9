"""Test questions are found in whatever dress, and nothing else is."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import regex

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.deduplication import minhash
from scratchlm.text.deduplication.decontamination import (
    Contamination,
    Decontaminator,
)

QUESTION = (
    "A baker packs twelve rolls into each of seven boxes, and eats three "
    "rolls on the way to the market. How many rolls does she sell?"
)
SHORT = "Which planet of our sun has the most moons?"
DOCS = list(python_docs(100_000))


def words_of(text):
    return regex.findall(r"[\p{L}\p{M}\p{N}]+", text.lower())


def find_naively(items, texts, size):
    """The chapter's sets: every n-gram of each, and what they share."""

    def grams(text, n):
        words = words_of(text)
        return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}

    found = []
    for d, text in enumerate(texts):
        for i, item in enumerate(items):
            n = min(size, len(words_of(item)))
            wanted = grams(item, n)
            share = len(wanted & grams(text, n)) / len(wanted)
            if share:
                found.append((d, i, share))
    return found


@pytest.mark.parametrize(
    "quote",
    [
        QUESTION.upper(),
        QUESTION.replace(",", " \u2014").replace("?", "\u2026"),
        "\u201c" + QUESTION.replace(" ", "\n  ") + "\u201d",
    ],
)
def test_a_quote_is_found_in_other_dress(quote):
    """Comparing strings finds the copy that nobody changed, no other."""
    texts = [DOCS[0], f"{DOCS[1]} {quote} {DOCS[2]}", DOCS[3]]
    found = list(Decontaminator([SHORT, QUESTION]).find(iter(texts)))
    assert found == [Contamination(document=1, item=1, share=1.0)]


def test_matches_are_those_of_sets():
    """An n-gram of two items credited to one, a repeat counted twice, a
    window over the end of a document."""
    items = [QUESTION, SHORT, QUESTION[40:], DOCS[5][:300], "b c d e f g h i"]
    cut = len(QUESTION) // 2
    parts = [QUESTION[cut:] + SHORT, QUESTION[:cut], SHORT * 2, ""]
    parts += [QUESTION * 2, "b c d", "e f g h i", "a b c d e f g h i"]
    texts = [*DOCS, *parts]
    found = Decontaminator(items).find(texts)
    wanted = find_naively(items, texts, 13)
    assert [(m.document, m.item, m.share) for m in found] == wanted
    assert len(wanted) > 6


def test_documents_keep_their_numbers_over_blocks(monkeypatch):
    """Numbers that start again in each block of texts."""
    texts = [*DOCS[:20], QUESTION, *DOCS[20:], QUESTION]
    monkeypatch.setattr(minhash, "TEXT_BLOCK", 5000)
    bad = Decontaminator([QUESTION]).contaminated(texts)
    assert np.flatnonzero(bad).tolist() == [20, len(texts) - 1]


def test_items_too_short_to_mean_anything_are_reported():
    """A question of three words that half the corpus contains."""
    finder = Decontaminator(["What is it?", SHORT, ""])
    assert finder.too_short.tolist() == [0, 2]
    assert list(finder.find(["What is it? It is."])) == []
    assert list(Decontaminator(["What is it?"]).find(["What is it?"])) == []
    assert not Decontaminator([]).contaminated(DOCS[:3]).any()


def test_bad_input_is_named():
    """A size of zero, which every text contains."""
    with pytest.raises(ValueError, match="shortest is 0"):
        Decontaminator([QUESTION], shortest=0)
    with pytest.raises(ValueError, match="shortest is 8 and size 5"):
        Decontaminator([QUESTION], size=5)
    with pytest.raises(ValueError, match="one string"):
        Decontaminator(QUESTION)
    with pytest.raises(ValueError, match="one string"):
        Decontaminator([QUESTION]).find(QUESTION)


def test_a_real_test_set_does_not_quote_its_training_set():
    """False alarms on word problems, which are all built alike."""
    if "SCRATCHLM_DATA" not in os.environ:
        pytest.skip("SCRATCHLM_DATA names no folder with gsm8k_test.jsonl")
    folder = Path(os.environ["SCRATCHLM_DATA"])
    train, test = (
        [
            json.loads(line)["question"]
            for line in (folder / f"gsm8k_{part}.jsonl").open(encoding="utf-8")
        ]
        for part in ("train", "test")
    )
    finder = Decontaminator(test)
    quoted = finder.contaminated([f"Q: {t.upper()} A: 42" for t in test])
    quoted[finder.too_short] = True
    assert quoted.all()
    assert finder.contaminated(train).mean() < 0.05
