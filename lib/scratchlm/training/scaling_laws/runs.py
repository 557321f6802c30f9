"""Runs as three columns: size, tokens, loss."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from scratchlm.training.scaling_laws.law import PER_WEIGHT, ScalingLaw

Column = Float[np.ndarray, "_"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """What is known of R training runs.

    Args:
        n_parameters: size of the model of each.
        n_tokens: that it was trained on.
        loss: held out, at the end, in nats a token.

    Raises:
        ValueError: the columns differ in length, there are none, or a
            number is not finite and above 0.
    """

    n_parameters: Column
    n_tokens: Column
    loss: Column

    def __post_init__(self) -> None:
        shapes = set()
        for field in fields(self):
            column = np.asarray(getattr(self, field.name), np.float64)
            object.__setattr__(self, field.name, column)
            shapes.add(column.shape)
            good = np.isfinite(column) & (column > 0)
            if not good.all():
                raise ValueError(
                    f"{field.name} holds {column[~good][0]}; leave out runs "
                    "that diverged, and give numbers above 0"
                )
        (shape, *others) = shapes
        if others or len(shape) != 1 or not shape[0]:
            raise ValueError(
                f"the columns have the shapes {sorted(shapes)}; give one "
                "number for each run in each"
            )

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def flops(self) -> Float64[np.ndarray, "_"]:
        """Operations of each run: six for each parameter and token."""
        return PER_WEIGHT * self.n_parameters * self.n_tokens

    def take(
        self, which: Int[np.ndarray, "n"] | Bool[np.ndarray, "R"]
    ) -> "Runs":
        """Return some of the runs.

        Args:
            which: their places, or a flag for each run.
        """
        return Runs(
            n_parameters=self.n_parameters[which],
            n_tokens=self.n_tokens[which],
            loss=self.loss[which],
        )


def without_noise(
    law: ScalingLaw, n_parameters: Column, n_tokens: Column
) -> Runs:
    """Return runs that end exactly where a law says.

    Args:
        law: that they follow.
        n_parameters: size of the model of each.
        n_tokens: that it was trained on.
    """
    return Runs(
        n_parameters=n_parameters,
        n_tokens=n_tokens,
        loss=law.loss(n_parameters, n_tokens),
    )
