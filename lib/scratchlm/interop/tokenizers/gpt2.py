"""Tokenizers in the two files in which GPT-2 was published."""

import json
from pathlib import Path

from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.tokenizer.merging import MergeRules, Pair
from scratchlm.text.tokenizer.printable import from_printable, to_printable


def from_gpt2_files(
    vocab_json: str | Path, merges_txt: str | Path
) -> BPETokenizer:
    """Read the two files in which GPT-2 was published; ids stay.

    Args:
        vocab_json: the id of each token, written in GPT-2's alphabet.
        merges_txt: one pair per line, first to merge first.

    Raises:
        ValueError: a file is missing or malformed.
    """
    ids = _read_vocab(Path(vocab_json))
    merges = _read_merges(Path(merges_txt))
    made = {to_printable(left + right) for left, right in merges}
    vocab, special = {}, {}
    for name, i in ids.items():
        if len(name) == 1 or name in made:
            vocab[from_printable(name)] = i
        else:
            special[name] = i
    rules = MergeRules(vocab, merges)
    return BPETokenizer(
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
