"""How much of a gradient is chance, and which batch is large enough."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor


class NoiseScale(NamedTuple):
    """What the gradients of small batches say about larger ones.

    Args:
        signal: the squared length of the gradient over all data.
        noise: the summed variance of one row's gradient.
    """

    signal: float
    noise: float

    @property
    def n_rows(self) -> float:
        """The batch whose gradient is as much signal as noise, in rows.

        Not a number where the noise hides the signal altogether; more
        batches would show it.
        """
        return self.noise / self.signal if self.signal > 0 else float("nan")


def noise_scale(
    parameters: Iterable[Tensor],
    losses: Iterable[Callable[[], Tensor]],
    n_rows: int,
) -> NoiseScale:
    """Estimate signal and noise from the gradients of several small batches.

    The mean of gradients is longer than the true gradient, since noise has a
    length too. Batches of two sizes, one of them and all of them together,
    have two lengths, from which both unknowns follow without bias.

    Args:
        parameters: of the model; their ``grad`` is left alone.
        losses: each computes the mean loss of a batch of its own.
        n_rows: rows in each of these batches.

    Raises:
        ValueError: there are fewer than two batches.

    Source: McCandlish et al. 2018, "An Empirical Model of Large-Batch
    Training", appendix A.1.
    """
    parameters = [p for p in parameters if p.requires_grad]
    small, total, count = 0.0, None, 0
    for loss in losses:
        gradient = torch.cat(
            [
                torch.zeros_like(p).flatten() if g is None else g.flatten()
                for p, g in zip(
                    parameters,
                    torch.autograd.grad(loss(), parameters, allow_unused=True),
                    strict=True,
                )
            ]
        )
        small += float(gradient.square().sum())
        total = gradient if total is None else total + gradient
        count += 1
    if total is None or count < 2:
        raise ValueError(
            f"{count} batches tell nothing of chance; give two or more"
        )
    small /= count
    large = float((total / count).square().sum())
    # small = signal + noise / n_rows, large = signal + noise / (n_rows count)
    signal = (count * large - small) / (count - 1)
    noise = (small - large) * n_rows * count / (count - 1)
    return NoiseScale(signal, noise)
