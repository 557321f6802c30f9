"""Vocabularies as others publish them.

tiktoken gives each token a rank and no merges; GPT-2 gives two files, in
which every byte is written as a printable character.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from scratchlm.text.tokenizer.merging import MergeRules, Pair

if TYPE_CHECKING:
    import tiktoken

    from scratchlm.text.tokenizer.bpe import BPETokenizer

_PRINTABLE = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
_SHIFTED = [byte for byte in range(256) if byte not in _PRINTABLE]
# GPT-2's alphabet: printable Latin-1 stands for itself, the rest follows
# from U+0100 on, so that a vocabulary is text without space or control codes.
ALPHABET = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(256 + i) for i, byte in enumerate(_SHIFTED)
}
_BYTE_OF = {ord(character): byte for byte, character in ALPHABET.items()}


def to_printable(token: bytes) -> str:
    """A token in GPT-2's alphabet."""
    return token.decode("latin-1").translate(ALPHABET)


def from_printable(text: str) -> bytes:
    """The bytes of a token written in GPT-2's alphabet.

    Raises:
        ValueError: a character is not of the alphabet.
    """
    try:
        return bytes(_BYTE_OF[ord(character)] for character in text)
    except KeyError as error:
        raise ValueError(
            f"{text!r} holds {chr(error.args[0])!r}, which is not in the "
            "alphabet of byte-level vocabularies"
        ) from None


def from_tiktoken(
    cls: type["BPETokenizer"], encoding: "tiktoken.Encoding"
) -> "BPETokenizer":
    """The vocabulary of a tiktoken encoding.

    tiktoken merges the two neighbours whose joined bytes have the lowest
    rank. The merge that makes a token is the last one on the token's bytes.
    """
    ranks: dict[bytes, int] = encoding._mergeable_ranks
    merges = [
        pair
        for token in sorted(ranks, key=ranks.__getitem__)
        if len(token) > 1 and (pair := last_merge(token, ranks))
    ]
    return cls(
        pattern=encoding._pat_str,
        vocab=dict(ranks),
        merges=tuple(merges),
        special_tokens=dict(encoding._special_tokens),
        whole_pieces=True,
    )


def last_merge(token: bytes, ranks: dict[bytes, int]) -> Pair | None:
    """The two parts of which a token is made, None where no merge makes it."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [left + right for left, right in pairwise(parts)]
        best = min(joined, key=lambda part: ranks.get(part, len(ranks) << 8))
        if best not in ranks:
            return None
        i = joined.index(best)
        parts[i : i + 2] = [best]
    return parts[0], parts[1]


def to_tiktoken(name: str, state: "BPETokenizer") -> "tiktoken.Encoding":
    """A tiktoken encoding that gives the same ids.

    Raises:
        ValueError: the ids do not follow the order of the merges, or some
            token is not what its own bytes merge to. tiktoken takes an id for
            a rank, and a piece that is a token for that token.
    """
    from tiktoken import Encoding  # noqa: PLC0415  (optional)

    vocab, merges = state.vocab, state.merges
    ids = [vocab[left + right] for left, right in merges]
    if ids != sorted(set(ids)):
        raise ValueError(
            "the ids of the tokens do not follow the order of the merges, "
            "which tiktoken needs; save the tokenizer as tokenizer.json"
        )
    if not state.whole_pieces and not state.rules.all_reachable():
        raise ValueError(
            "the vocabulary holds a token that its own bytes do not merge to, "
            "and tiktoken would produce it; save it as tokenizer.json"
        )
    return Encoding(
        name,
        pat_str=state.cutter.expression,
        mergeable_ranks=vocab,
        special_tokens=state.special_tokens,
    )


def from_gpt2_files(
    cls: type["BPETokenizer"], vocab_json: Path, merges_txt: Path
) -> "BPETokenizer":
    """The vocabulary that GPT-2's two files describe.

    Args:
        vocab_json: the id of each token, written in GPT-2's alphabet.
        merges_txt: one pair per line, first to merge first.

    Raises:
        ValueError: a file is missing or malformed.
    """
    ids = _read_vocab(vocab_json)
    merges = _read_merges(merges_txt)
    made = {to_printable(left + right) for left, right in merges}
    vocab, special = {}, {}
    for name, i in ids.items():
        if len(name) == 1 or name in made:
            vocab[from_printable(name)] = i
        else:
            special[name] = i
    rules = MergeRules(vocab, merges)
    return cls(
        pattern="gpt2",
        vocab=vocab,
        merges=merges,
        special_tokens=special,
        whole_pieces=rules.all_reachable(),  # then it changes but the speed
    )


def _read_vocab(path: Path) -> dict[str, int]:
    try:
        ids = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, "vocab.json", error) from error
    if not isinstance(ids, dict) or not all(
        isinstance(i, int) for i in ids.values()
    ):
        raise ValueError(
            f"{path} is not a vocab.json: it should map each token to its id"
        )
    return ids


def _read_merges(path: Path) -> tuple[Pair, ...]:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise _unreadable(path, "merges.txt", error) from error
    merges = []
    for number, line in enumerate(lines, start=1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        left, space, right = line.rstrip("\r").partition(" ")
        if not (left and space and right) or " " in right:
            raise ValueError(
                f"line {number} of {path} is {line!r}; each line of a "
                "merges.txt is two tokens with a space between them"
            )
        merges.append((from_printable(left), from_printable(right)))
    return tuple(merges)


def _unreadable(path: Path, kind: str, error: Exception) -> ValueError:
    return ValueError(
        f"cannot read {path}: {error}; give the {kind} of a byte-level BPE "
        "tokenizer, such as GPT-2's"
    )
