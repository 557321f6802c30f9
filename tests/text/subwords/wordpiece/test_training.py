"""Training WordPiece from text."""

import pytest

from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.subwords.wordpiece.training import learn_best_merges

DOCS = list(python_docs(25_000))
EXAMPLE = "she sells sea shells"


def test_worked_example():
    """The chapter's words by hand, and the package, part ways."""
    tokenizer = WordPieceTokenizer.train([EXAMPLE], 18)
    assert list(tokenizer.vocab)[13:] == [" s", "##ls", "##lls", "##he", " se"]
    assert list(tokenizer.vocab)[:3] == ["[UNK]", " ", "a"]
    assert tokenizer.decode(tokenizer.encode(EXAMPLE)) == EXAMPLE


@pytest.mark.untraced
def test_a_smaller_vocabulary_is_the_beginning_of_a_larger():
    """Merges that depend on how many were asked for."""
    small = WordPieceTokenizer.train(DOCS, 400, workers=1)
    large = WordPieceTokenizer.train(DOCS, 600, workers=2)
    assert list(large.vocab)[:400] == list(small.vocab)


@pytest.mark.untraced
def test_frequent_pairs_compress_more_than_surprising_ones():
    """The folklore's ratio, which spends the vocabulary on rare words."""
    text = "\n".join(DOCS)
    tokens = {
        name: len(
            WordPieceTokenizer.train(DOCS, 600, criterion=name).encode(text)
        )
        for name in ("likelihood", "ratio", "frequency")
    }
    assert 1.5 * tokens["likelihood"] < tokens["ratio"]
    assert tokens["frequency"] < tokens["likelihood"]


def test_special_tokens_come_last(capsys):
    """Special tokens that shift the ids of the others."""
    tokenizer = WordPieceTokenizer.train(
        [EXAMPLE], 18, special_tokens=["<|b|>", "<|a|>"], progress=True
    )
    assert tokenizer.special_tokens == {"<|b|>": 16, "<|a|>": 17}
    assert "merges" in capsys.readouterr().err


def test_text_with_too_few_pairs_gives_a_smaller_vocabulary():
    """An endless loop, or a silent vocabulary of another size."""
    with pytest.warns(UserWarning, match="only 1 merges.*6 tokens, not as"):
        tokenizer = WordPieceTokenizer.train(["ab ab"[:2]] * 2, 300)
    assert tokenizer.vocab_size == 6
    assert learn_best_merges({"a": 5}, 3) == []


@pytest.mark.parametrize(
    ("texts", "size", "options", "message"),
    [
        ([EXAMPLE], 12, {}, r"vocab_size is 12.*6 characters.*coverage"),
        ([], 300, {}, "no text"),
        (EXAMPLE, 300, {}, "one string"),
        ([EXAMPLE], 300, {"criterion": "luck"}, "'luck'.*likelihood"),
        ([EXAMPLE], 300, {"coverage": 2.0}, "coverage is 2.0"),
        ([EXAMPLE], 300, {"special_tokens": ["x", "x"]}, "twice"),
        ([EXAMPLE], 300, {"pattern": "("}, "bad pattern"),
    ],
)
def test_bad_input_is_named(texts, size, options, message):
    """A KeyError from the depths, or a vocabulary that is not as asked."""
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer.train(texts, size, **options)
