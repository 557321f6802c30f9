"""A named run: what is trained, on which text, cut by which tokenizer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.training.pretraining.run import Run


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run and what belongs to it.

    Args:
        name: as the command line has it.
        run: all that decides the training.
        tokenizer: called once; makes or loads the tokenizer.
        n_tokens: T, the length of a row.
        batch_size: rows of a step.
        end_of_text: the token behind each document.
        report: called with the trained model and the tokenizer; returns what
            a manifest says beyond the loss.
        sample: called with the model as it is on the way; returns texts that
            it writes.

    Raises:
        ValueError: a step has no rows, or fewer than parts.
    """

    name: str
    run: Run
    tokenizer: Callable[[], SubwordTokenizer]
    n_tokens: int
    batch_size: int
    end_of_text: str = "<|endoftext|>"
    report: Callable[[Any, SubwordTokenizer], dict[str, Any]] | None = None
    sample: Callable[[Any, SubwordTokenizer], list[str]] | None = None

    def __post_init__(self) -> None:
        if self.batch_size < max(1, self.run.n_micro):
            raise ValueError(
                f"batch_size is {self.batch_size}; give "
                f"{max(1, self.run.n_micro)} or more, a row for each of the "
                f"{self.run.n_micro} parts of a step"
            )

    @property
    def tokens_per_step(self) -> int:
        """Positions that a step computes, padding too."""
        return self.n_tokens * self.batch_size
