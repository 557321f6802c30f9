"""Text from a model, token by token."""

from collections.abc import Collection, Iterator, Sequence
from sys import maxsize
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scratchlm.inference.cache.kv_cache import Admitted, Where, cache_for
from scratchlm.inference.sampling.history import History
from scratchlm.inference.sampling.sampler import Sampler, greedy
from scratchlm.inference.sampling.stopping import Stop, StopTokens


@runtime_checkable
class BatchCache(Protocol):
    """What :func:`generate` knows of a cache."""

    # The most positions that it takes at once; any number if None.
    chunk: int | None
    # Whether a text may be longer than the model's context.
    endless: bool
    # Whether rows that have stopped stay, so that no shape changes.
    fixed: bool

    @property
    def length(self) -> int:
        """Number of positions that it has been given."""
        ...

    def __getitem__(self, layer: int) -> Any:
        """Return the cache of one layer, counted from 0."""
        ...

    def admit(
        self, rows: Sequence[Sequence[int]], device: torch.device
    ) -> Admitted:
        """Make one tensor of the rows that are read next."""
        ...

    def where(self, n_new: int) -> Where:
        """Return what the model is told of the next positions."""
        ...

    def keep(self, rows: Int[Tensor, " rows"]) -> None:
        """Keep these rows alone, in this order."""
        ...

    def leave(self, live: Sequence[int]) -> list[int]:
        """Take in which rows go on; return where they stand now."""
        ...


@torch.no_grad()
def read(
    model: nn.Module,
    rows: Sequence[Sequence[int]],
    cache: BatchCache,
    *,
    chunk: int | None = None,
) -> Float[Tensor, "B V"]:
    """Fill a cache with prompts; return the logits of each next token.

    Args:
        model: a transformer.
        rows: tokens of each prompt, one or more.
        cache: is extended by them.
        chunk: number of positions that the model reads at once, which bounds
            the memory that it takes; as many as the cache takes if None.

    Raises:
        ValueError: a prompt is empty, ``chunk`` is below 1, or the cache
            cannot take the rows.
    """
    _check_prompts(rows)
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is {chunk}; use at least 1")
    device = next(model.parameters()).device
    tokens, last = cache.admit(rows, device)
    chunk = min(chunk or maxsize, cache.chunk or maxsize, tokens.shape[1])
    hidden: Tensor | None = None
    for start in range(0, tokens.shape[1], chunk):
        piece = tokens[:, start : start + chunk]
        x = _hidden(model, piece, cache)
        at = (last - start).clamp(0, x.shape[1] - 1)
        found = x[torch.arange(len(x), device=device), at]
        if hidden is None:
            hidden = found
        hidden = torch.where((last >= start)[:, None], found, hidden)
    assert hidden is not None
    logits: Tensor = model.head(hidden)  # type: ignore[operator]
    return logits


@torch.no_grad()
def step(
    model: nn.Module, tokens: Int[Tensor, "B 1"], cache: BatchCache
) -> Float[Tensor, "B V"]:
    """Read one token more in each row; return the logits of the next.

    Args:
        model: a transformer.
        tokens: one for each row in the cache.
        cache: is extended by them.
    """
    x = _hidden(model, tokens, cache)[:, -1]
    logits: Tensor = model.head(x)  # type: ignore[operator]
    return logits


def _hidden(model: nn.Module, tokens: Tensor, cache: BatchCache) -> Tensor:
    where = cache.where(tokens.shape[1])
    x: Tensor = model.hidden(  # type: ignore[operator]
        tokens,
        cache=cache,
        documents=where.documents,
        positions=where.positions,
    )
    return x


@torch.no_grad()
def generate(  # noqa: PLR0913
    model: nn.Module,
    tokens: Int[Tensor, "B T"] | Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    sampler: Sampler = greedy,
    stop: Stop | Collection[int] = (),
    cache: BatchCache | None = None,
    chunk: int | None = None,
) -> Iterator[dict[int, int]]:
    """Write on, each row of a batch until it stops.

    A row that has stopped leaves the batch, and takes no more time. What a
    row writes does not depend on the rows beside it.

    Args:
        model: a transformer; call ``eval()`` before if it drops anything.
        tokens: the prompts, as a tensor or as rows of unlike length.
        max_new_tokens: after how many tokens each row ends.
        sampler: chooses each token from its logits.
        stop: ids that end a row, or a function that is called with the
            tokens which a row has written and says whether it ends. The
            token at which it ends is part of what is written.
        cache: of what was read before, to which the prompts are added; a
            new one of :func:`~scratchlm.inference.cache.kv_cache.cache_for`
            if None.
        chunk: number of positions of the prompts that are read at once; as
            many as the cache takes if None.

    Yields:
        For each step the number of each row that has not stopped before,
        and its new token.

    Raises:
        ValueError: a prompt is empty, a token is not in the vocabulary,
            ``max_new_tokens`` is below 1, or prompt and new tokens are
            longer than the model's context; when the first token is asked
            for.
    """
    rows = _rows(tokens)
    cache = cache_for(model) if cache is None else cache
    _check_length(model, rows, max_new_tokens, cache)
    ends = _ends(stop)
    history = History(rows)
    logits = read(model, rows, cache, chunk=chunk)
    places = list(range(len(rows)))  # of the live rows in the cache
    while True:
        drawn = sampler(logits, history).tolist()
        history.append(drawn)
        yield dict(zip(history.rows, drawn, strict=True))
        max_new_tokens -= 1
        live = [i for i, w in enumerate(history.written) if not ends(w)]
        if not max_new_tokens or not live:
            return
        if len(live) < len(drawn):
            history.keep(live)
            places = cache.leave([places[i] for i in live])
        # A row that has stopped, and stays, reads anything.
        last = [[0] for _ in rows] if cache.fixed else [[0] for _ in live]
        for place, written in zip(places, history.written, strict=True):
            last[place] = [written[-1]]
        logits = step(model, torch.tensor(last, device=logits.device), cache)
        logits = logits[places] if len(places) < len(last) else logits


def complete(  # noqa: PLR0913
    model: nn.Module,
    tokens: Int[Tensor, "B T"] | Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    sampler: Sampler = greedy,
    stop: Stop | Collection[int] = (),
    cache: BatchCache | None = None,
    chunk: int | None = None,
) -> list[list[int]]:
    """Return what :func:`generate` writes, row by row.

    Args:
        model: a transformer; call ``eval()`` before if it drops anything.
        tokens: the prompts, as a tensor or as rows of unlike length.
        max_new_tokens: after how many tokens each row ends.
        sampler: chooses each token from its logits.
        stop: see :func:`generate`.
        cache: see :func:`generate`.
        chunk: see :func:`generate`.

    Returns:
        The new tokens of each row, without the one of ``stop`` that ended
        it, if those are ids.

    Raises:
        ValueError: see :func:`generate`.
    """
    written: list[list[int]] = [[] for _ in tokens]
    for new in generate(
        model,
        tokens,
        max_new_tokens=max_new_tokens,
        sampler=sampler,
        stop=stop,
        cache=cache,
        chunk=chunk,
    ):
        for row, token in new.items():
            written[row].append(token)
    ends = frozenset() if callable(stop) else frozenset(stop)
    return [row[:-1] if row[-1] in ends else row for row in written]


def _rows(tokens: Tensor | Sequence[Sequence[int]]) -> list[list[int]]:
    found = tokens.tolist() if isinstance(tokens, Tensor) else tokens
    try:
        return [list(row) for row in found]
    except TypeError:
        raise ValueError(
            "the prompts are one row of numbers; give a list of rows, or a "
            "tensor of two axes, also for a single prompt"
        ) from None


def _ends(stop: Stop | Collection[int]) -> Stop:
    if callable(stop):
        return stop
    return StopTokens(stop) if stop else lambda written: False


def _check_prompts(rows: Sequence[Sequence[int]]) -> None:
    if not rows:
        raise ValueError("no prompts; give one row of tokens or more")
    empty = [i for i, row in enumerate(rows) if not row]
    if empty:
        raise ValueError(
            f"prompt {empty[0]} is empty; begin with the token that ends a "
            "document, behind which the model has seen texts begin"
        )


def _check_length(
    model: Any,
    rows: Sequence[Sequence[int]],
    max_new_tokens: int,
    cache: BatchCache,
) -> None:
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; use 1 or more")
    longest = max((len(row) for row in rows), default=0)
    needed = cache.length + longest + max_new_tokens
    most = model.config.max_tokens
    if needed > most and not cache.endless:
        raise ValueError(
            f"{cache.length + longest} tokens and {max_new_tokens} new ones, "
            f"but the model's context is {most}; shorten the prompt, lower "
            "max_new_tokens, or give a SinkCache, which forgets"
        )
