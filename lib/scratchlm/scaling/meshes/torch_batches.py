"""What a step may be given, looked at by every rank before it starts."""

from dataclasses import dataclass

import torch
from torch import Tensor

from scratchlm.model.attention.documents import Documents
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.training.pretraining.micro_batches import TokenBatch


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Which batches a model on a mesh can take.

    Args:
        rows: a divisor of the number of rows.
        positions: a divisor of their length.
        max_tokens: the longest document.
        vocab_size: V.
    """

    rows: int
    positions: int
    max_tokens: int
    vocab_size: int

    @classmethod
    def of(
        cls,
        model: Transformer,
        mesh: ProcessMesh,
        n_micro: int,
        *,
        sequence: bool,
    ) -> "Limits":
        """Return the limits of a model on a mesh.

        Args:
            model: whole.
            mesh: of all ranks.
            n_micro: parts in which a rank computes its rows.
            sequence: whether ranks of ``tp`` share positions.
        """
        cp = mesh.size("cp")
        pieces = 2 * cp if cp > 1 else 1  # an early one and a late one each
        if sequence:
            pieces *= mesh.size("tp")
        return cls(
            rows=mesh.size("dp") * n_micro,
            positions=pieces,
            max_tokens=model.embedding.max_tokens,
            vocab_size=model.config.vocab_size,
        )

    def checked(self, batch: TokenBatch, device: torch.device) -> TokenBatch:
        """Return a batch in which each token has a position.

        What one rank alone would find later, in the middle of a pipeline,
        would leave the others waiting for it.

        Args:
            batch: all rows.
            device: where to.

        Raises:
            ValueError: the numbers of rows or positions do not divide, a
                token or a target is not in the vocabulary, rows are too
                long, or documents are not in one piece.
        """
        self._check_sizes(batch)
        self._check_range("tokens", batch.tokens)
        valid = batch.targets != -100
        self._check_range("targets", batch.targets[valid])
        documents, positions = batch.documents, batch.positions
        packed = None if documents is None else Documents.of(documents)
        if positions is None:
            positions = (
                torch.arange(batch.tokens.shape[1]).expand_as(batch.tokens)
                if packed is None
                else packed.positions
            )
        if positions.numel() and int(positions.max()) >= self.max_tokens:
            raise ValueError(
                f"positions up to {int(positions.max())}, but the model has "
                f"vectors for {self.max_tokens}, from 0; shorten the text"
            )
        return TokenBatch(
            tokens=batch.tokens.to(device),
            targets=batch.targets.to(device),
            documents=(
                None
                if documents is None or packed is None
                else documents.to(device)
            ),
            positions=positions.to(device),
        )

    def _check_sizes(self, batch: TokenBatch) -> None:
        n_rows, n_tokens = batch.tokens.shape
        if n_rows < 1 or n_rows % self.rows:
            raise ValueError(
                f"a step has {n_rows} rows, which {self.rows} micro-batches "
                f"of all ranks of dp do not share evenly; give a multiple of "
                f"{self.rows}"
            )
        if n_tokens < 1 or n_tokens % self.positions:
            padded = max(1, -(-n_tokens // self.positions)) * self.positions
            raise ValueError(
                f"rows have {n_tokens} positions, which do not fall into "
                f"{self.positions} equal pieces, for the ranks of cp and tp; "
                f"pad them to {padded} with targets of -100"
            )
        for name in ("targets", "documents", "positions"):
            given: Tensor | None = getattr(batch, name)
            if given is not None and given.shape != batch.tokens.shape:
                raise ValueError(
                    f"{name} have shape {tuple(given.shape)}, and tokens "
                    f"{tuple(batch.tokens.shape)}; give one for each"
                )

    def _check_range(self, name: str, given: Tensor) -> None:
        # An embedding in parts takes zeros for a token that no rank has.
        if given.numel() == 0:
            return
        low, high = given.aminmax()
        if low < 0 or high >= self.vocab_size:
            raise ValueError(
                f"{name} from {int(low)} to {int(high)}, but the vocabulary "
                f"has {self.vocab_size}, from 0; encode the text with the "
                f"tokenizer of this model"
            )
