"""Runs on fresh documents of TinyWorld, whose floor is known exactly."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scratchlm.model.block import initialize
from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer, TransformerConfig
from scratchlm.text.shards import (
    IGNORED,
    Batch,
    BatchConfig,
    Batches,
    MemoryTokens,
    PackedRows,
)
from scratchlm.text.tinyworld import TinyWorld
from scratchlm.text.tokenizer import BPETokenizer
from scratchlm.training.optimizers import (
    WarmupStableDecay,
    clip_gradients,
    kinds_of,
)

T = 320  # tokens of a row; no document of this world is longer
V = 1024
N_ROWS = 2
WARM_UP = 20  # steps
# A word is whole, and a number is its digits.
PATTERN = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s"
END = "<|end|>"
Make = Callable[[Transformer], torch.optim.Optimizer]


class Corpus:
    """Documents to train on, each seen once, and others to judge by.

    Args:
        n_tokens: that a run may read, about.
        n_held_out: documents to judge by.
    """

    def __init__(self, n_tokens: int, n_held_out: int):
        world = TinyWorld(0)
        sample = (d.text for d in world.documents(3, 5000))
        self.tok = BPETokenizer.train(
            sample, V, pattern=PATTERN, special_tokens=[END], workers=1
        )
        end = self.tok.special_tokens[END]
        judged = list(world.documents(2, n_held_out))
        held_out = [self.tok.encode(d.text) for d in judged]
        texts = (d.text for d in world.documents(1, n_tokens // 120 + 10))
        train = (self.tok.encode(text) for text in texts)
        self.rows = PackedRows(MemoryTokens(train, end_id=end), T)
        self.held_out = PackedRows(MemoryTokens(held_out, end_id=end), T)
        count = sum(map(len, held_out)) + len(held_out)
        self.floor = -sum(d.log_prob for d in judged) / count

    def batches(self, seed: int = 0) -> Batches:
        return Batches(self.rows, BatchConfig(batch_size=N_ROWS, seed=seed))


def config(
    d_model: int, n_layers: int, std: float = 0.05
) -> TransformerConfig:
    """Heads of one width, so that only their number grows."""
    return replace(
        tiny(64, vocab_size=V),
        d_model=d_model,
        n_layers=n_layers,
        n_heads=d_model // 16,
        n_kv_heads=d_model // 16,
        d_head=16,
        d_ff=(8 * d_model // 3 + 15) // 16 * 16,
        max_tokens=T,
        tied=False,
        init=partial(initialize, std=std),
    )


def tensors(batch: Batch) -> list[Tensor]:
    return [torch.from_numpy(part) for part in batch if part is not None]


def loss_of(model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """The summed loss, and over how many tokens."""
    tokens, targets, documents, positions = tensors(batch)
    logits = model(tokens, documents=documents, positions=positions)
    total = F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="sum"
    )
    return total, int((targets != IGNORED).sum())


@torch.no_grad()
def judge(
    model: nn.Module, rows: PackedRows, most: int | None = None
) -> float:
    """Nats a token, ends counted; of the first rows where not all."""
    total, count = 0.0, 0
    which = np.arange(len(rows))[:most]
    for part in np.array_split(which, len(which) // 16 + 1):
        nats, n = loss_of(model, rows.gather(part))
        total, count = total + nats.item(), count + n
    return total / count


@dataclass
class Training:
    """A model on its way, which can be copied and ended at any step."""

    config: TransformerConfig
    make: Make
    batches: Batches
    seed: int = 0

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.model = Transformer(self.config)
        self.optimizer = self.make(self.model)
        self.peaks = [g["lr"] for g in self.optimizer.param_groups]
        self.step, self.n_tokens = 0, 0

    def advance(self, to: int, schedule: Callable[[int], float]) -> None:
        while self.step < to:
            groups = self.optimizer.param_groups
            for group, peak in zip(groups, self.peaks, strict=True):
                group["lr"] = peak * schedule(self.step)
            first = self.step * N_ROWS
            batch = self.batches.batch(first, first + N_ROWS)
            total, count = loss_of(self.model, batch)
            self.optimizer.zero_grad()
            (total / count).backward()
            clip_gradients(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.step, self.n_tokens = self.step + 1, self.n_tokens + count

    def twin(self) -> "Training":
        other = Training(self.config, self.make, self.batches, self.seed)
        other.model.load_state_dict(self.model.state_dict())
        # torch keeps the tensors of a state, which both would then change.
        other.optimizer.load_state_dict(deepcopy(self.optimizer.state_dict()))
        other.step, other.n_tokens = self.step, self.n_tokens
        return other


def ending(steps: int) -> WarmupStableDecay:
    """A plateau that does not know how long it is, and a quarter down."""
    return WarmupStableDecay(warmup=WARM_UP, n_steps=steps, decay=steps // 4)


def endpoints(
    training: Training, ends: Sequence[int], rows: PackedRows
) -> list[tuple[int, float]]:
    """Tokens and loss of runs that share their beginning.

    Args:
        training: at its start.
        ends: steps of each run, growing.
        rows: to judge by.
    """
    found = []
    for steps in ends:
        schedule = ending(steps)
        training.advance(steps - steps // 4, schedule)  # all of the plateau
        last = training.twin()
        last.advance(steps, schedule)
        found.append((last.n_tokens, judge(last.model, rows)))
    return found


def size_of(model: Transformer) -> int:
    """Weights that multiply each token: those of blocks and head."""
    matrices, _, _ = kinds_of(model)
    return sum(p.numel() for p in [*matrices, model.head.weight])
