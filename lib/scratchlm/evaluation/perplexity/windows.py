"""What a text longer than the context is cut into."""

from typing import NamedTuple


class Window(NamedTuple):
    """One reading of a part of a text.

    ::

        start token  t1  t2  t3  t4  t5  t6
        position 0   1   2   3   4   5   6
                     └ start       └ first └ stop
                       read for context  scored: the tokens behind 4 and 5

    Args:
        start: the first position that is read.
        first: the first position whose next token is scored.
        stop: the position behind the last one that is read.
    """

    start: int
    first: int
    stop: int


def rolling_windows(
    n_tokens: int, *, max_tokens: int, stride: int | None = None
) -> list[Window]:
    """Cut a text into windows, so that each token is scored once.

    Position 0 holds the token that the text is read behind, and position
    ``i`` predicts token ``i + 1``. The first window is full of tokens that
    are scored. Each later one scores the next ``stride`` tokens, and reads
    as much before them as fits. The last may have fewer to score, and then
    reads more.

    Args:
        n_tokens: tokens of the text that are scored.
        max_tokens: how many positions the model reads at once.
        stride: tokens that a window scores; ``max_tokens`` if None, so that
            no token is read twice, but in the last window.

    Raises:
        ValueError: there is nothing to score, or ``stride`` is not from 1
            to ``max_tokens``.

    Source: lm-evaluation-harness 0.4, ``get_rolling_token_windows``, whose
    ``context_len`` is ``max_tokens - stride + 1``.
    """
    stride = max_tokens if stride is None else stride
    if not 1 <= stride <= max_tokens:
        raise ValueError(
            f"stride is {stride} and max_tokens {max_tokens}; give a stride "
            "from 1 to max_tokens"
        )
    if n_tokens < 1:
        raise ValueError(f"n_tokens is {n_tokens}; give a text to score")
    stops = [min(n_tokens, max_tokens)]
    while stops[-1] < n_tokens:
        stops.append(min(n_tokens, stops[-1] + stride))
    firsts = [0, *stops[:-1]]
    return [
        Window(max(0, stop - max_tokens), first, stop)
        for first, stop in zip(firsts, stops, strict=True)
    ]


def context_lengths(windows: list[Window]) -> list[int]:
    """Return how many tokens each scored token is predicted from.

    Args:
        windows: of one text.
    """
    return [
        position - window.start + 1
        for window in windows
        for position in range(window.first, window.stop)
    ]
