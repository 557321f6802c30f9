"""The bytes that the tokens of a tokenizer add to a text."""

from scratchlm.inference.constrained.vocabulary import Vocabulary
from scratchlm.inference.sampling.spelling import (
    ByteSpeller,
    LateSpeller,
    byte_tokens,
    speller,
)
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer


def vocabulary_of(
    tokenizer: SubwordTokenizer, size: int | None = None
) -> Vocabulary:
    """Return the vocabulary of a tokenizer, with what each token spells.

    That is what it adds to a text which goes on: a word of SentencePiece has
    the space before it. Special tokens spell nothing, and neither does the
    unknown one.

    Args:
        tokenizer: of any family whose tokens spell the same whatever comes
            behind them.
        size: V, the width of the model's head where it is wider than the
            tokenizer.

    Raises:
        ValueError: what a token spells depends on those behind it, or
            ``size`` is less than the tokenizer's.
    """
    width = tokenizer.vocab_size if size is None else size
    if width < tokenizer.vocab_size:
        raise ValueError(
            f"size is {size}, but the tokenizer has ids up to "
            f"{tokenizer.vocab_size - 1}; give the width of a head that fits"
        )
    special = frozenset(tokenizer.special_tokens.values())
    spelled = {
        token: text
        for token, text in _spelled(tokenizer).items()
        if text and token not in special
    }
    return Vocabulary(spelled, width)


def _spelled(tokenizer: SubwordTokenizer) -> dict[int, bytes]:
    if isinstance(tokenizer, BPETokenizer):
        return tokenizer.bytes_of
    how = speller(tokenizer)
    if isinstance(how, LateSpeller):
        raise ValueError(
            "the decoder of this tokenizer changes text when more follows, "
            "so that its tokens have no bytes of their own; constrain with a "
            "byte-level tokenizer"
        )
    unknown = _unknown_ids(tokenizer)
    ordinary = [
        token for token in sorted(tokenizer._own_ids()) if token not in unknown
    ]
    if isinstance(how, ByteSpeller):
        return {token: how.bytes_of(token) for token in ordinary}
    return _behind_another(tokenizer, ordinary)


def _behind_another(
    tokenizer: SubwordTokenizer, ordinary: list[int]
) -> dict[int, bytes]:
    """Return what tokens add behind one that is there."""
    byte_of = byte_tokens(tokenizer)
    head = next(
        token
        for token in ordinary
        if token not in byte_of and tokenizer.decode([token]).strip()
    )
    before = tokenizer.decode([head])
    # Some decoders take the token of a byte for its name, <0x41>.
    spelled = {
        token: bytes([byte])
        for token, byte in byte_of.items()
        if byte > 0x7F or tokenizer.decode([head, token]) == before + chr(byte)
    }
    if len(spelled) < len(byte_of):
        spelled = {}
    for token in ordinary:
        text = tokenizer.decode([head, token])
        if token not in spelled and text.startswith(before):
            spelled[token] = text[len(before) :].encode()
    return spelled


def _unknown_ids(tokenizer: SubwordTokenizer) -> frozenset[int]:
    """Return the ids that stand for what the vocabulary lacks."""
    name = getattr(tokenizer, "unknown", None)
    vocab: dict[str | None, int] = getattr(tokenizer, "vocab", {})
    found = {vocab.get(name), getattr(tokenizer, "unknown_id", None)}
    return frozenset(token for token in found if token is not None)
