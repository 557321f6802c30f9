"""A fact is changed by one update of rank one.

The last layer of a feed-forward layer is read as a memory of keys and
values. The key of a subject stands at its last token. The update gives this
key another value and disturbs other keys as little as their covariance
allows.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from scratchlm.evaluation.interpretability.hooks import read, replace


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a model shall say from now on.

    Args:
        prompts: tokens of texts behind which the answer comes.
        subjects: for each, the position of the subject's last token.
        answer: tokens of the new answer.
    """

    prompts: Sequence[Sequence[int]]
    subjects: Sequence[int]
    answer: Sequence[int]

    def __post_init__(self) -> None:
        if not self.prompts or len(self.prompts) != len(self.subjects):
            raise ValueError(
                f"{len(self.prompts)} prompts and {len(self.subjects)} "
                "subjects; give one position each, and at least one prompt"
            )
        if not self.answer:
            raise ValueError("the answer is empty; give its tokens")
        for prompt, at in zip(self.prompts, self.subjects, strict=True):
            if not 0 <= at < len(prompt):
                raise ValueError(
                    f"the subject is at {at} of a prompt of {len(prompt)} "
                    "tokens; count from 0"
                )


@torch.no_grad()
def keys(
    model: Any, layer: int, tokens: Int[Tensor, "B T"]
) -> Float[Tensor, "B T F"]:
    """Return what the last linear map of a gated feed-forward layer reads.

    Args:
        model: whose feed-forward layers have gate, up and down.
        layer: counted from 0.
        tokens: ids.
    """
    place = f"blocks.{layer}.feedforward:in"
    with read(model, [place]) as kept:
        model.hidden(tokens)
    part = model.blocks[layer].feedforward
    gated: Tensor = F.silu(part.gate(kept[place])) * part.up(kept[place])
    return gated


def second_moment(
    model: Any, layer: int, rows: Sequence[Sequence[int]]
) -> Float[Tensor, "F F"]:
    """Return the mean of key times key over the tokens of texts.

    Args:
        model: whose keys are read.
        layer: counted from 0.
        rows: tokens of texts that the edit shall leave alone.

    Raises:
        ValueError: there are no texts.
    """
    if not rows:
        raise ValueError("no texts; give some that the edit shall leave alone")
    each = torch.cat(
        [keys(model, layer, torch.tensor([row]))[0] for row in rows]
    )
    return each.T @ each / len(each)


def new_value(  # noqa: PLR0913
    model: Any,
    layer: int,
    request: Request,
    *,
    n_steps: int = 25,
    learning_rate: float = 0.5,
    decay: float = 0.05,
) -> Float[Tensor, " D"]:
    """Find what the layer has to add at the subject for the new answer.

    Args:
        model: none of its weights changes.
        layer: counted from 0.
        request: prompts and answer.
        n_steps: steps of Adam on the shift, whose unit is the mean size of
            what the layer adds at the first subject.
        learning_rate: of these.
        decay: of the squared shift over the squared value, which keeps the
            shift small.

    Returns:
        The shift of what the layer adds now.

    Source: Meng et al. 2022, "Locating and Editing Factual Associations in
    GPT", sec. 3.1.
    """
    place, n = f"blocks.{layer}.feedforward", len(request.answer)
    with torch.no_grad(), read(model, [place]) as kept:
        model.hidden(torch.tensor([request.prompts[0]]))
    unit = kept[place][0, request.subjects[0]].square().mean().sqrt()
    shift = torch.zeros(model.config.d_model, requires_grad=True)
    adam = torch.optim.Adam([shift], learning_rate)
    for _ in range(n_steps):
        loss = decay * shift.square().mean()
        for prompt, at in zip(request.prompts, request.subjects, strict=True):

            def add(value: Tensor, at: int = at) -> Tensor:
                here = torch.zeros(value.shape[1], 1)
                here[at] = 1
                return value + here * (unit * shift)

            tokens = torch.tensor([[*prompt, *request.answer]])
            with torch.enable_grad(), replace(model, {place: add}):
                logits = model(tokens)[0, -n - 1 : -1]
            answer = torch.tensor(request.answer)
            loss = loss + F.cross_entropy(logits, answer) / len(
                request.prompts
            )
        (shift.grad,) = torch.autograd.grad(loss, [shift])
        adam.step()
    return unit * shift.detach()


def rank_one_update(
    key: Float[Tensor, " F"],
    shift: Float[Tensor, " D"],
    moment: Float[Tensor, "F F"] | None = None,
    *,
    ridge: float = 1e-4,
) -> Float[Tensor, "D F"]:
    """Return the smallest update that shifts the value of one key.

    Smallest is meant over the keys whose second moment is given, so that
    what is usual is disturbed least; without one, in the norm of the matrix.

    Args:
        key: whose value shall change.
        shift: by how much.
        moment: of the keys to protect; none if None.
        ridge: share of the mean diagonal that is added to it.

    Raises:
        ValueError: the key is zero.

    Source: Meng et al. 2022, eq. 2.
    """
    if not key.any():
        raise ValueError("the key is zero, and no update gives it a value")
    direction = key
    if moment is not None:
        size = ridge * moment.diagonal().mean()
        whole = moment + size * torch.eye(len(moment))
        direction = torch.linalg.solve(whole, key)
    return torch.outer(shift, direction / (direction @ key))


def edit(
    model: Any,
    layer: int,
    request: Request,
    moment: Float[Tensor, "F F"] | None = None,
) -> Float[Tensor, "D F"]:
    """Return the update of a feed-forward layer that changes a fact.

    Args:
        model: none of its weights changes.
        layer: counted from 0.
        request: what it shall say.
        moment: of the keys to protect; none if None.
    """
    each = [
        keys(model, layer, torch.tensor([prompt]))[0, at]
        for prompt, at in zip(request.prompts, request.subjects, strict=True)
    ]
    shift = new_value(model, layer, request)
    return rank_one_update(torch.stack(each).mean(0), shift, moment)


@contextmanager
def edited(
    model: Any, layer: int, update: Float[Tensor, "D F"]
) -> Iterator[None]:
    """Add an update to a layer, and restore it bit for bit afterwards.

    Args:
        model: whose ``down`` changes for a while.
        layer: counted from 0.
        update: of the shape of its weight.
    """
    weight = model.blocks[layer].feedforward.down.weight
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight += update
        yield
    finally:
        with torch.no_grad():
            weight.copy_(before)
