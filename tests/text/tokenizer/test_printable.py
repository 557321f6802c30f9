import pytest
from tokenizers import pre_tokenizers

from scratchlm.text.tokenizer.printable import (
    ALPHABET,
    from_printable,
    to_printable,
)


def test_alphabet_is_that_of_the_field():
    """One byte under a character of its own."""
    assert sorted(ALPHABET.values()) == sorted(
        pre_tokenizers.ByteLevel.alphabet()
    )
    every = bytes(range(256))
    assert from_printable(to_printable(every)) == every
    assert to_printable(b" \n") == "ĠĊ"


def test_a_sign_that_no_byte_has():
    """A token of another alphabet, read as some bytes."""
    with pytest.raises(ValueError, match="'a語' holds '語'"):
        from_printable("a語")
