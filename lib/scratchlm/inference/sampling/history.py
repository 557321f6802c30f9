"""What the rows of a batch have read and written."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor


class History:
    """The prompts of a batch, and what has been written behind each.

    Args:
        prompts: the ids that each row has read.

    Attributes:
        rows: the number that each live row had when the batch began.
        prompts: of the live rows.
        written: the ids behind each prompt.
    """

    def __init__(self, prompts: Sequence[Sequence[int]]):
        self.rows = list(range(len(prompts)))
        self.prompts = [list(prompt) for prompt in prompts]
        self.written: list[list[int]] = [[] for _ in prompts]
        # By size of the vocabulary, whether prompts count, and the device.
        self._counts: dict[tuple[int, bool, torch.device], Tensor] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def append(self, tokens: Sequence[int]) -> None:
        """Note the next token of each live row.

        Args:
            tokens: one for each.

        Raises:
            ValueError: there are more tokens than live rows, or fewer.
        """
        if len(tokens) != len(self):
            raise ValueError(
                f"{len(tokens)} tokens for {len(self)} live rows; give one "
                "for each"
            )
        for written, token in zip(self.written, tokens, strict=True):
            written.append(token)
        for counts in self._counts.values():
            column = torch.tensor(tokens, dtype=torch.long).to(counts.device)
            ones = torch.ones_like(column)[:, None]
            counts.scatter_add_(1, column[:, None], ones)

    def keep(self, live: Sequence[int]) -> None:
        """Keep some of the live rows.

        Args:
            live: where they stand among the rows live so far, in the order
                in which they shall go on. One that is given twice goes on
                twice, as a search needs it.
        """
        self.rows = [self.rows[i] for i in live]
        self.prompts = [list(self.prompts[i]) for i in live]
        self.written = [list(self.written[i]) for i in live]
        for key, counts in self._counts.items():
            index = torch.tensor(live, dtype=torch.long, device=counts.device)
            self._counts[key] = counts[index]

    def counts(
        self,
        vocab_size: int,
        *,
        prompt: bool,
        device: torch.device | str = "cpu",
    ) -> Int[Tensor, "B V"]:
        """Return how often each token occurs in each live row.

        Rows are read once, when this is asked for the first time. From then
        on a token costs one addition.

        Args:
            vocab_size: V.
            prompt: count the prompts too, not only what was written.
            device: of the result.

        Returns:
            The table that is kept; it is to be read, not written.
        """
        key = vocab_size, prompt, torch.device(device)
        if key not in self._counts:
            read = self.prompts if prompt else [[] for _ in self.rows]
            rows = [
                torch.bincount(
                    torch.tensor([*ids, *written], dtype=torch.long),
                    minlength=vocab_size,
                )
                for ids, written in zip(read, self.written, strict=True)
            ]
            empty = torch.zeros(0, vocab_size, dtype=torch.long)
            table = torch.stack(rows) if rows else empty
            self._counts[key] = table.to(device)
        return self._counts[key]
