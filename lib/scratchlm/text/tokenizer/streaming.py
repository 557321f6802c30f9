"""Cutting a stream where the cut changes nothing.

Chunks of a stream end anywhere: inside a word, a special token, or a run of
space whose end decides its pieces. The stream is held back to the last place
where whatever follows leaves the pieces before it as they are.
"""

import re
from collections.abc import Iterable, Iterator

from scratchlm.text.tokenizer.patterns import WHITE_SPACE, Cutter
from scratchlm.text.tokenizer.special_tokens import SpecialTokens, find_any

# Characters collected before a cut is sought, and how far back from the end.
# Both guessed: large against a call's overhead, small against memory.
COLLECTED = 1 << 15
WINDOW = 1 << 10

_S = f"[^{WHITE_SPACE}]"
# Between S and " S" (S: not space), and behind the line end of "S\nS", one
# piece ends and the next begins in each named pattern (o200k lets "/" follow
# a line end in a piece), and the text before falls into the same pieces alone.
SAFE_CUT = re.compile(rf"(?<={_S})(?= {_S})|(?<={_S}\n)(?=[^{WHITE_SPACE}/])")
# A contraction, the farthest that the patterns look past a piece that does
# not end in space, has three characters.
LOOKAHEAD = 3


def settle(pattern: Cutter, text: str) -> tuple[list[str], int]:
    """The part of a text that is settled whatever text follows.

    Args:
        pattern: the pattern; of one that has no name nothing is known, and
            nothing settles before the end.
        text: the beginning of a longer text.

    Returns:
        Strings that can be encoded one by one, and how many characters of
        ``text`` they take.
    """
    if not pattern.chunks:
        return [], 0
    cuts = list(SAFE_CUT.finditer(text, max(0, len(text) - WINDOW)))
    if cuts:
        return [text[: cuts[-1].start()]], cuts[-1].start()
    settled: list[str] = []
    taken = 0
    limit = len(text.rstrip()) - LOOKAHEAD
    for piece in pattern.pieces(text):
        if taken + len(piece) > limit:
            break
        settled.append(piece)
        taken += len(piece)
    return settled, taken


def segments(
    chunks: Iterable[str],
    pattern: Cutter,
    special: SpecialTokens,
    allowed: frozenset[str],
) -> Iterator[tuple[str, str]]:
    """Cut a stream into texts that can be encoded one by one.

    Yields:
        A text, and the special token that follows it, or "".
    """
    finder = find_any(allowed)
    held: list[str] = []
    size, enough = 0, COLLECTED
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size < enough:
            continue
        text = "".join(held)
        # A special token that begins before the horizon is there in full.
        horizon = len(text) - special.reach
        done = 0
        for found in finder.finditer(text) if finder else ():
            if found.start() >= horizon:
                break
            yield text[done : found.start()], found.group()
            done = found.end()
        settled, taken = settle(pattern, text[done : max(done, horizon)])
        yield from ((part, "") for part in settled)
        held = [text[done + taken :]]
        size = len(held[0])
        enough = max(COLLECTED, 2 * size)  # else a long piece is read n² times
    yield from special.cut("".join(held), allowed)


def whole_characters(chunks: Iterable[str]) -> Iterator[str]:
    """Join the halves of surrogate pairs that a cut took apart."""
    half = ""
    for chunk in chunks:
        joined = half + chunk
        half = joined[-1:] if "\ud800" <= joined[-1:] <= "\udbff" else ""
        yield well_formed(joined[: len(joined) - len(half)])
    if half:
        yield well_formed(half)


def well_formed(text: str) -> str:
    """Text that UTF-8 can hold: pairs joined, lone surrogates U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode(
            "utf-16", "replace"
        )
    return text
