"""What a model would say if it stopped after a layer."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from scratchlm.evaluation.interpretability.hooks import read


def streams(
    model: Any, tokens: Int[Tensor, "B T"]
) -> Float[Tensor, "layers B T D"]:
    """Return the residual stream before the first block and behind each.

    Args:
        model: a transformer with ``embedding`` and ``blocks``.
        tokens: ids of the model's vocabulary.
    """
    places = ["embedding"]
    places += [f"blocks.{i}" for i in range(len(model.blocks))]
    with torch.no_grad(), read(model, places) as kept:
        model.hidden(tokens)
    return torch.stack([kept[place] for place in places])


def logit_lens(
    model: Any, stream: Float[Tensor, "*B D"]
) -> Float[Tensor, "*B V"]:
    """Return the logits that the model's own end reads from a stream.

    The final norm is computed for the stream that it is given. Its scale
    at the last layer is not kept for the others, whose streams are shorter.

    Args:
        model: a transformer with ``norm`` and ``head``.
        stream: behind any layer.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    logits: Tensor = model.head(model.norm(stream))
    return logits


class TunedLens(nn.Module):
    """An affine map for each layer, before the model's own end.

    ``lens(i, x)`` is ``x + x A_i + b_i``. It begins as the logit lens, with
    all ``A`` and ``b`` zero.

    Args:
        n_layers: streams that it reads, the one before the first block too.
        d_model: width D of a stream.

    Raises:
        ValueError: a size is below 1.

    Source: Belrose et al. 2023, "Eliciting Latent Predictions from
    Transformers with the Tuned Lens", sec. 3.
    """

    def __init__(self, n_layers: int, d_model: int):
        super().__init__()
        if min(n_layers, d_model) < 1:
            raise ValueError(
                f"{n_layers} layers of width {d_model}; use at least 1"
            )
        maps = [nn.Linear(d_model, d_model) for _ in range(n_layers)]
        for each in maps:
            nn.init.zeros_(each.weight)
            nn.init.zeros_(each.bias)
        self.maps = nn.ModuleList(maps)

    def forward(
        self, layer: int, stream: Float[Tensor, "*B D"]
    ) -> Float[Tensor, "*B D"]:
        """Return a stream as the last layer might have written it."""
        return stream + self.maps[layer](stream)


def divergence(
    final: Float[Tensor, "*B V"], lens: Float[Tensor, "*B V"]
) -> Float[Tensor, "*B"]:
    """Return how far a lens is from the model's own prediction, in nats.

    Args:
        final: the model's logits.
        lens: those of the lens at the same positions.

    Returns:
        The Kullback-Leibler divergence of each position.
    """
    p = final.log_softmax(-1)
    return (p.exp() * (p - lens.log_softmax(-1))).sum(-1)


def train_tuned_lens(  # noqa: PLR0913
    model: Any,
    rows: Sequence[Int[Tensor, " T"]],
    *,
    n_steps: int,
    learning_rate: float = 1e-3,
    n_positions: int = 256,
    seed: int = 0,
) -> TunedLens:
    """Fit a lens to what the model itself predicts.

    Args:
        model: in eval mode; none of its weights changes.
        rows: tokens of texts, one a step in turn.
        n_steps: steps of Adam.
        learning_rate: at the beginning; it falls to zero along a line.
        n_positions: of a text that a step looks at, at most.
        seed: decides which.

    Raises:
        ValueError: there are no rows, or no steps.
    """
    if not rows or n_steps < 1:
        raise ValueError(
            f"{len(rows)} rows and {n_steps} steps; give at least one of each"
        )
    draws = torch.Generator().manual_seed(seed)
    lens = TunedLens(len(model.blocks) + 1, model.config.d_model)
    adam = torch.optim.Adam(lens.parameters(), learning_rate)
    for step in tqdm(range(n_steps), "tuned lens", leave=False, disable=None):
        kept = streams(model, rows[step % len(rows)][None])[:, 0]
        some = torch.randperm(kept.shape[1], generator=draws)[:n_positions]
        kept = kept[:, some]
        with torch.no_grad():
            final = logit_lens(model, kept[-1])
        loss = sum_of_layers(model, lens, kept, final)
        lens.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in adam.param_groups:
            group["lr"] = learning_rate * (1 - step / n_steps)
        adam.step()
    model.zero_grad()
    return lens.requires_grad_(False)


def sum_of_layers(
    model: Any,
    lens: TunedLens,
    kept: Float[Tensor, "layers T D"],
    final: Float[Tensor, "T V"],
) -> Float[Tensor, ""]:
    """Return the divergence of all layers, each the mean of its positions.

    Args:
        model: whose end the lens borrows.
        lens: one map for each layer.
        kept: the streams of a text.
        final: the model's own logits.
    """
    losses = [
        divergence(final, logit_lens(model, lens(i, stream))).mean()
        for i, stream in enumerate(kept)
    ]
    return torch.stack(losses).sum()


@torch.no_grad()
def agreement(
    model: Any, tokens: Int[Tensor, " T"], lens: TunedLens | None = None
) -> Float[Tensor, "layers T"]:
    """Return the divergence of a lens from the model, at each position.

    Args:
        model: a transformer.
        tokens: of one text.
        lens: a tuned one; the logit lens if None.
    """
    kept = streams(model, tokens[None])[:, 0]
    final = logit_lens(model, kept[-1])
    seen = [
        stream if lens is None else lens(i, stream)
        for i, stream in enumerate(kept)
    ]
    return torch.stack([divergence(final, logit_lens(model, x)) for x in seen])
