"""Names and shapes of published weights to ours, and back."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]


class Change(NamedTuple):
    """What is done to a group of tensors, in both directions.

    Args:
        publish: takes ours and the type of the model's numbers.
        adopt: takes theirs and the shapes of ours. It returns views where it
            can, so that a weight stays in the file until it is used.
    """

    publish: Callable[[Sequence[Tensor], torch.dtype], Sequence[Tensor]]
    adopt: Callable[[Sequence[Tensor], Sequence[torch.Size]], Sequence[Tensor]]


def _adopt_joined(
    theirs: Sequence[Tensor], shapes: Sequence[torch.Size]
) -> Sequence[Tensor]:
    return torch.split_with_sizes(theirs[0].t(), [s[0] for s in shapes])


def _adopt_shifted(
    theirs: Sequence[Tensor], shapes: Sequence[torch.Size]
) -> Sequence[Tensor]:
    return [
        1 + w.to(torch.promote_types(w.dtype, torch.float32)) for w in theirs
    ]


SAME = Change(lambda ours, dtype: ours, lambda theirs, shapes: theirs)
# GPT-2 keeps a matrix as the transpose of nn.Linear's, and those of
# queries, keys and values side by side in one.
JOINED = Change(lambda ours, dtype: [torch.cat([*ours]).t()], _adopt_joined)
FLAT = Change(
    lambda ours, dtype: [w.flatten() for w in ours],
    lambda theirs, shapes: [
        w.view(shape) for w, shape in zip(theirs, shapes, strict=True)
    ],
)
# Gemma multiplies by 1 + w. The sum needs more bits than bfloat16 has, so
# ours stays in float32.
SHIFTED = Change(
    lambda ours, dtype: [(w - 1).to(dtype) for w in ours], _adopt_shifted
)
STACKED = Change(
    lambda ours, dtype: ours[0].unbind(),
    lambda theirs, shapes: [torch.stack([*theirs])],
)


class Rule(NamedTuple):
    """Which tensors of ours are which of theirs.

    In a name ``{i}`` stands for the layer, and ``{e}`` for each expert in
    turn.

    Args:
        ours: names in our state.
        theirs: names in the published file.
        change: what is done to them.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    change: Change = SAME

    def groups(
        self, state: Mapping[str, torch.Size]
    ) -> list[tuple[list[str], list[str]]]:
        """Return the pairs of groups of names that a model has.

        A rule for a bias says nothing about a model without.

        Args:
            state: the shape of each of our tensors, by name.
        """
        found: list[tuple[list[str], list[str]]] = []
        layer = 0
        while True:
            ours = [name.format(i=layer) for name in self.ours]
            if ours[0] not in state:
                return found
            n_experts = state[ours[0]][0]
            theirs = [
                name.format(i=layer, e=expert)
                for name in self.theirs
                for expert in range(n_experts if "{e}" in name else 1)
            ]
            found.append((ours, theirs))
            layer += 1
            if "{i}" not in self.ours[0]:
                return found


def plain(names: Mapping[str, str], change: Change = SAME) -> list[Rule]:
    """Return rules for single tensors.

    Args:
        names: ours to theirs.
        change: what is done to each.
    """
    return [Rule((o,), (t,), change) for o, t in names.items()]


def publish(
    state: Weights, rules: Sequence[Rule], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return our tensors under their names, in their shapes.

    On the meta device it says what a file has to hold.

    Args:
        state: ours, by name.
        rules: a family's.
        dtype: the type of most of the model's numbers.

    Raises:
        ValueError: some tensor of ours has no rule.
    """
    theirs: dict[str, Tensor] = {}
    shapes = {name: tensor.shape for name, tensor in state.items()}
    left = set(shapes)
    for rule in rules:
        for ours, names in rule.groups(shapes):
            left -= set(ours)
            changed = rule.change.publish([state[o] for o in ours], dtype)
            theirs |= zip(names, changed, strict=True)
    if left:
        raise ValueError(
            f"{', '.join(sorted(left))} have no name in this family"
        )
    return theirs


def adopt(
    tensors: Weights,
    rules: Sequence[Rule],
    shapes: Mapping[str, torch.Size],
) -> dict[str, Tensor]:
    """Return their tensors under our names, in our shapes.

    Args:
        tensors: theirs, by name, each in the shape that :func:`publish`
            gives it.
        rules: a family's.
        shapes: of ours, by name.
    """
    state: dict[str, Tensor] = {}
    for rule in rules:
        for ours, names in rule.groups(shapes):
            given = [tensors[name] for name in names]
            wanted = [shapes[name] for name in ours]
            state |= zip(ours, rule.change.adopt(given, wanted), strict=True)
    return state
