"""Turn RoPE more slowly, so that a longer text stays in known angles.

A model knows the angles that its training texts reached. Each scaling here
takes the plain frequencies and returns lower ones; they differ in which
pairs of axes they slow down. Pass one as ``scaling`` of ``Rotary``.
"""

from dataclasses import KW_ONLY, dataclass
from math import ceil, floor, inf, log, tau

import torch
from jaxtyping import Float
from torch import Tensor

# JSON writes a factor of 8 without a point.
Number = float | int


def _check(name: str, value: Number, low: Number) -> None:
    # Written so that NaN, which is below nothing, is refused as well.
    if not low <= value < inf:
        raise ValueError(f"{name} is {value}; use a number from {low:g} on")


def _check_order(low: tuple[str, Number], high: tuple[str, Number]) -> None:
    if not 0 < low[1] < high[1] < inf:
        raise ValueError(
            f"{low[0]} is {low[1]} and {high[0]} is {high[1]}; both count "
            f"turns, so {low[0]} must be above 0 and below {high[0]}"
        )


def _check_pairs(frequencies: Tensor) -> None:
    if len(frequencies) < 2:
        raise ValueError(
            f"{len(frequencies)} pair of axes has no fast and no slow end to "
            "treat differently; use PositionInterpolation or a wider head"
        )


def _check_order_of_pairs(frequencies: Tensor) -> None:
    fast, slow = float(frequencies[0]), float(frequencies[-1])
    if not 0 < slow < fast:
        raise ValueError(
            f"the pairs turn by {fast:g} to {slow:g} radians a position, and "
            "must slow down without standing still; use a theta above 1"
        )


def _slow(frequencies: Tensor, kept: Tensor, factor: Number) -> Tensor:
    """Divide by ``factor`` what is not kept: all of it where kept is 0."""
    return frequencies * (kept + (1 - kept) / factor)


@dataclass(frozen=True)
class PositionInterpolation:
    """Slow all pairs equally, as if the positions stood closer.

    Args:
        factor: how many times longer the texts become, at least 1.

    Raises:
        ValueError: ``factor`` is below 1.

    Source: Chen et al. 2023, "Extending Context Window of Large Language
    Models via Positional Interpolation", eq. 4.
    """

    factor: Number

    def __post_init__(self) -> None:
        _check("factor", self.factor, 1)

    def __call__(
        self, frequencies: Float[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Return the frequencies of the longer context."""
        return frequencies / self.factor


@dataclass(frozen=True)
class NTKAware:
    """Slow the slowest pair by ``factor`` and the fastest not at all.

    The pairs between follow a geometric series, which is what a larger
    base ``theta`` does: ``theta * factor ** (H / (H - 2))``.

    Args:
        factor: how many times longer the texts become, at least 1.

    Raises:
        ValueError: ``factor`` is below 1; or there is only one pair.

    Source: bloc97 2023, as described in Peng et al. 2023, "YaRN", def. 1.
    """

    factor: Number

    def __post_init__(self) -> None:
        _check("factor", self.factor, 1)

    def __call__(
        self, frequencies: Float[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Return the frequencies of the longer context."""
        _check_pairs(frequencies)
        share = torch.linspace(
            0, 1, len(frequencies), device=frequencies.device
        )
        return frequencies * self.factor**-share


@dataclass(frozen=True)
class YaRN:
    """Keep fast pairs, slow the slow ones, and sharpen the scores.

    A pair that turns ``beta_fast`` times or more within the original
    length is kept, one that turns ``beta_slow`` times or less is slowed by
    ``factor``. Between the two the paper blends along the number of turns,
    its released code and so every checkpoint along the number of the pair;
    this follows the checkpoints, which also round both ends outwards.

    Args:
        factor: how many times longer the texts become, at least 1.
        original: length of the texts that the model was trained on.
        beta_fast: turns from which on a pair is kept.
        beta_slow: turns up to which a pair is slowed in full.
        attention_factor: what queries and keys are multiplied by, each;
            the paper's ``0.1 ln(factor) + 1`` if None.

    Raises:
        ValueError: a number is out of range; there is only one pair; or
            the first is not the fastest, which takes a theta above 1.

    Source: Peng et al. 2023, "YaRN: Efficient Context Window Extension of
    Large Language Models", sec. 3.2 to 3.4 and released code.
    """

    factor: Number
    _: KW_ONLY
    original: int
    beta_fast: Number = 32.0
    beta_slow: Number = 1.0
    attention_factor: Number | None = None

    def __post_init__(self) -> None:
        _check("factor", self.factor, 1)
        _check("original", self.original, 1)
        _check_order(
            ("beta_slow", self.beta_slow), ("beta_fast", self.beta_fast)
        )
        if self.attention_factor is not None:
            _check("attention_factor", self.attention_factor, 0)

    @property
    def length(self) -> float:
        """What queries and keys are multiplied by, so scores by its square."""
        if self.attention_factor is not None:
            return float(self.attention_factor)
        return 0.1 * log(self.factor) + 1.0

    def __call__(
        self, frequencies: Float[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Return the frequencies of the longer context."""
        _check_pairs(frequencies)
        _check_order_of_pairs(frequencies)
        last = len(frequencies) - 1
        # How many pairs it takes for the turns to fall by a factor of e.
        step = last / log(float(frequencies[0] / frequencies[-1]))
        turns = self.original * float(frequencies[0]) / tau
        first = max(floor(step * log(turns / self.beta_fast)), 0)
        # The bound, odd as it is, is that of the released code.
        end = min(ceil(step * log(turns / self.beta_slow)), 2 * last + 1)
        pair = torch.arange(last + 1, device=frequencies.device)
        slowed = (pair - first) / (end - first if end != first else 0.001)
        return _slow(frequencies, 1 - slowed.clamp(0, 1), self.factor)


@dataclass(frozen=True)
class Llama3Scaling:
    """Keep fast pairs, slow the slow ones, blend by the number of turns.

    A pair that turns ``high_factor`` times or more within the original
    length is kept, one that turns ``low_factor`` times or less is slowed by
    ``factor``.

    Args:
        factor: how many times longer the texts become, at least 1.
        low_factor: turns up to which a pair is slowed in full.
        high_factor: turns from which on a pair is kept.
        original: length of the texts that the model was trained on.

    Raises:
        ValueError: a number is out of range.

    Source: Llama Team 2024, "The Llama 3 Herd of Models", and the released
    code of Llama 3.1.
    """

    factor: Number
    _: KW_ONLY
    low_factor: Number
    high_factor: Number
    original: int

    def __post_init__(self) -> None:
        _check("factor", self.factor, 1)
        _check("original", self.original, 1)
        _check_order(
            ("low_factor", self.low_factor), ("high_factor", self.high_factor)
        )

    def __call__(
        self, frequencies: Float[Tensor, " pairs"]
    ) -> Float[Tensor, " pairs"]:
        """Return the frequencies of the longer context."""
        turns = self.original * frequencies / tau
        kept = (turns - self.low_factor) / (self.high_factor - self.low_factor)
        return _slow(frequencies, kept.clamp(0, 1), self.factor)
