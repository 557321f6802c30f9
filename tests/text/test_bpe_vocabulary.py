import dataclasses

import pytest

from scratchlm.text.bpe_vocabulary import BPEVocabulary

BYTES = {bytes([byte]): byte for byte in range(256)}


def vocabulary(**changes):
    state = {
        "pattern": "gpt2",
        "vocab": BYTES | {b"ab": 256},
        "merges": ((b"a", b"b"),),
        "special_tokens": {"<|end|>": 300},
    }
    return BPEVocabulary(**(state | changes))


def test_size_counts_the_rows_of_an_embedding():
    """A gap between the ids, and a table too short for the highest."""
    assert vocabulary().vocab_size == 301


def test_an_expression_that_is_known_gets_its_name():
    """The same tokenizer, written twice, with two fingerprints."""
    named = vocabulary()
    spelled = vocabulary(pattern=named.cutter.expression)
    assert spelled.pattern == "gpt2"
    assert spelled.fingerprint == named.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"pattern": "cl100k"},
        {"vocab": BYTES | {b"ab": 257}},
        {"vocab": BYTES | {b"bc": 256}, "merges": ((b"b", b"c"),)},
        {"special_tokens": {"<|end|>": 301}},
        {"special_tokens": {}},
        {"whole_pieces": True},
    ],
)
def test_whatever_changes_the_output_changes_the_fingerprint(changes):
    """Shards of one tokenizer taken for those of another."""
    assert vocabulary(**changes).fingerprint != vocabulary().fingerprint


def test_an_id_belongs_to_one_token():
    """A special token that decodes as the word whose id it took."""
    with pytest.raises(ValueError, match="ids that are free, from 257 on"):
        vocabulary(special_tokens={"<|end|>": 256})


def test_bytes_of_names_every_id():
    """A special token that cannot be decoded."""
    bytes_of = vocabulary().bytes_of
    assert (bytes_of[256], bytes_of[300]) == (b"ab", b"<|end|>")
    assert len(bytes_of) == 258


def test_the_state_is_frozen():
    """Merges exchanged behind the back of a cache."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        vocabulary().pattern = "o200k"
