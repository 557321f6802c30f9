"""The sharding plan: a table that says how each part of a model is cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from torch import nn

from scratchlm.model.experts.experts import MixtureOfExperts


class Cut(StrEnum):
    """How a module is spread over ranks.

    ``ROWS``: each rank computes some of the outputs of a linear layer.
    ``COLUMNS``: each rank sums over some of its inputs.
    ``VOCABULARY``: each rank has the rows of some tokens.
    ``REGION``: the ranks compute parts of one result between its entrance
    and its exit. In a mixture of experts each rank has a part of every
    expert.
    ``SUMMED``: whole on each rank, which uses it for a part of the work, so
    that the gradient is the sum of all ranks'.
    ``SPLIT`` and ``JOINED``: behind it each rank goes on with some of the
    positions, or with all of them again.
    """

    ROWS = "rows"
    COLUMNS = "columns"
    VOCABULARY = "vocabulary"
    REGION = "region"
    SUMMED = "summed"
    SPLIT = "split"
    JOINED = "joined"


Plan = Mapping[str, Cut]

# For the book's transformer. A star stands for the number of a layer.
PLAN: Plan = MappingProxyType(
    {
        "embedding.tokens": Cut.VOCABULARY,
        "blocks.*.attention": Cut.REGION,
        "blocks.*.attention.query": Cut.ROWS,
        "blocks.*.attention.key": Cut.ROWS,
        "blocks.*.attention.value": Cut.ROWS,
        "blocks.*.attention.q_norm": Cut.SUMMED,
        "blocks.*.attention.k_norm": Cut.SUMMED,
        "blocks.*.attention.output": Cut.COLUMNS,
        "blocks.*.feedforward": Cut.REGION,
        "blocks.*.feedforward.gate": Cut.ROWS,
        "blocks.*.feedforward.up": Cut.ROWS,
        "blocks.*.feedforward.down": Cut.COLUMNS,
        "head": Cut.VOCABULARY,
    }
)
# Between the regions, too, each rank works on some of the positions.
SEQUENCE_PLAN: Plan = MappingProxyType(
    {
        **PLAN,
        "embedding": Cut.SPLIT,
        "blocks.*.*_norm": Cut.SUMMED,
        "norm": Cut.JOINED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A module that the plan names, and where it stands."""

    name: str
    module: nn.Module
    cut: Cut


def place(model: nn.Module, plan: Plan) -> list[Placed]:
    """Find the modules that a plan names.

    Args:
        model: whose modules are named as in ``model.named_modules()``.
        plan: a cut for each name, in which a star stands for one part
            between two dots. Of two that match, the first counts.

    Returns:
        The modules, outer ones before inner ones.

    Raises:
        ValueError: weights that are used between the entrance and the exit
            of a region have no rule, or a name of the plan without a star
            fits nothing.
    """
    placed = []
    for name, module in model.named_modules():
        for pattern, cut in plan.items():
            if _fits(name, pattern):
                placed.append(Placed(name=name, module=module, cut=cut))
                break
    found = {each.name for each in placed}
    absent = [each for each in plan if "*" not in each and each not in found]
    if absent:
        raise ValueError(
            f"the plan names {', '.join(absent)}, which the model does not "
            f"have; its parts are "
            f"{', '.join(name for name, _ in model.named_children())}"
        )
    _check_regions(placed, everywhere=Cut.SPLIT in plan.values())
    return placed


def require_alike_heads(name: str, core: nn.Module) -> None:
    """Refuse a core that a rank with some of the heads would get wrong.

    Args:
        name: of the attention that has it.
        core: what is done with queries, keys and values.

    Raises:
        ValueError: it treats each head in its own way.
    """
    if hasattr(core, "n_heads") or [*core.parameters()]:
        raise ValueError(
            f"the core of {name}, {type(core).__name__}, treats each head "
            f"in its own way and would take this rank's heads for the first "
            f"ones; use a core that treats all alike"
        )


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _check_regions(placed: list[Placed], *, everywhere: bool) -> None:
    """Refuse weights whose gradient would be one rank's share, unseen."""
    ruled = {
        each.name for each in placed if each.cut not in (Cut.REGION, Cut.SPLIT)
    }
    for each in placed:
        if each.cut is not Cut.REGION:
            continue
        if isinstance(each.module, MixtureOfExperts):
            continue  # whose ranks are alike but inside the experts
        for name, _ in each.module.named_parameters():
            path = f"{each.name}.{name}"
            owner, _, _ = path.rpartition(".")
            if not any(f"{owner}.".startswith(f"{rule}.") for rule in ruled):
                raise ValueError(
                    f"the plan has no rule for {path}, which is used in the "
                    f"region {each.name}; add one, such as {owner!r}: "
                    f"Cut.SUMMED for a weight that each rank holds whole"
                )
    if everywhere and not any(each.cut is Cut.JOINED for each in placed):
        raise ValueError(
            "the plan splits the positions and never joins them; give one "
            "module the cut Cut.JOINED"
        )
