"""What a model of some size has lost after some tokens, as a formula."""

from dataclasses import dataclass, fields
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

Numbers = TypeVar("Numbers", float, Float[np.ndarray, "..."])
# Two operations for each weight forward, and twice as many backward.
PER_WEIGHT = 6


class Allocation(NamedTuple):
    """One way to spend a budget.

    Args:
        n_parameters: size of the model.
        n_tokens: that it is trained on.
        loss: in nats a token, expected at the end.
    """

    n_parameters: float
    n_tokens: float
    loss: float

    @property
    def flops(self) -> float:
        """Operations of the training run."""
        return PER_WEIGHT * self.n_parameters * self.n_tokens

    @property
    def tokens_per_parameter(self) -> float:
        """The ratio by which budgets are compared."""
        return self.n_tokens / self.n_parameters


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """A floor, and two distances from it that shrink as powers.

    The loss is ``E + A / n_parameters**alpha + B / n_tokens**beta``.

    Args:
        E: the loss of an unlimited model after unlimited tokens.
        A: of the distance that is due to the model's size.
        alpha: its exponent.
        B: of the distance that is due to the end of training.
        beta: its exponent.

    Raises:
        ValueError: a factor is negative, or an exponent is not above 0.

    Source: Hoffmann et al. 2022, "Training Compute-Optimal Large Language
    Models", eq. 2.
    """

    E: float
    A: float
    alpha: float
    B: float
    beta: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            exponent = field.name in ("alpha", "beta")
            if not value >= 0 or (exponent and value == 0):
                least = "a number above 0" if exponent else "0 or more"
                raise ValueError(f"{field.name} is {value}; give {least}")

    def loss(self, n_parameters: Numbers, n_tokens: Numbers) -> Numbers:
        """Return the loss in nats a token.

        Args:
            n_parameters: size of the model, or several.
            n_tokens: that it is trained on, or several.
        """
        size = self.A * n_parameters**-self.alpha
        return self.E + size + self.B * n_tokens**-self.beta

    @property
    def parameters_exponent(self) -> float:
        """The power of the budget with which the best size grows."""
        return self.beta / (self.alpha + self.beta)

    @property
    def tokens_exponent(self) -> float:
        """The power of the budget with which the best horizon grows."""
        return self.alpha / (self.alpha + self.beta)

    def optimal(self, flops: float) -> Allocation:
        """Return the split of a budget that has the lowest loss.

        Args:
            flops: the budget, six for each parameter and token.

        Raises:
            ValueError: the budget is not above 0, or one of the two
                distances is 0, so that there is nothing to weigh.

        Source: Hoffmann et al. 2022, eq. 4.
        """
        _above_zero("flops", flops)
        if not (self.A > 0 and self.B > 0):
            raise ValueError(
                f"A is {self.A} and B is {self.B}: where size or tokens "
                "change nothing, no split is best; fit with runs that vary "
                "both"
            )
        ratio = self.alpha * self.A / (self.beta * self.B)
        pairs = flops / PER_WEIGHT
        n_parameters = ratio ** (1 / (self.alpha + self.beta))
        n_parameters *= pairs**self.parameters_exponent
        n_tokens = pairs / n_parameters
        return Allocation(
            n_parameters, n_tokens, self.loss(n_parameters, n_tokens)
        )

    def tokens_for(self, loss: float, n_parameters: float) -> float:
        """Return after how many tokens a model reaches a loss.

        Args:
            loss: in nats a token.
            n_parameters: size of the model.

        Raises:
            ValueError: a model of that size never reaches it.
        """
        _above_zero("n_parameters", n_parameters)
        limit = self.E + self.A * n_parameters**-self.alpha
        if loss <= limit:
            raise ValueError(
                f"a model of {n_parameters:.3g} parameters tends to "
                f"{limit:.4g} and never reaches {loss:.4g}; give a larger "
                "model or a higher loss"
            )
        return float((self.B / (loss - limit)) ** (1 / self.beta))

    def smallest_for(self, loss: float) -> float:
        """Return the size below which no model ever reaches a loss.

        Args:
            loss: in nats a token.

        Raises:
            ValueError: it is not above the floor.
        """
        if loss <= self.E:
            raise ValueError(
                f"{loss:.4g} is not above the floor {self.E:.4g}, which no "
                "model passes; give a higher loss"
            )
        return float((self.A / (loss - self.E)) ** (1 / self.alpha))

    def flops_for(self, loss: float) -> float:
        """Return the smallest budget that reaches a loss.

        Args:
            loss: in nats a token.

        Raises:
            ValueError: no budget does, or none is best.
        """
        self.smallest_for(loss)
        distance = self.optimal(1.0).loss - self.E
        power = self.alpha * self.beta / (self.alpha + self.beta)
        return float((distance / (loss - self.E)) ** (1 / power))


def _above_zero(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value}; give a number above 0")


# Hoffmann et al. 2022, eq. 10, as printed.
CHINCHILLA = ScalingLaw(E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28)
