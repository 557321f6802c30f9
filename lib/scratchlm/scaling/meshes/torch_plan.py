"""Our sharding plan in the words of PyTorch's tensor parallelism."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from inspect import signature

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Partial, Placement, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    PrepareModuleInputOutput,
    PrepareModuleOutput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.tensor_parallel.plan import (
    PLAN,
    SEQUENCE_PLAN,
    Cut,
    Placed,
    place,
)
from scratchlm.scaling.tensor_parallel.tensor_parallel import check_heads

# Dimensions of what flows: positions of (B, T, D), heads of (B, T, N, H).
POSITIONS, HEADS = 1, 2


def styles(
    placed: Placed, *, inside: bool, sequence: bool
) -> list[ParallelStyle]:
    """Return what PyTorch calls a cut: a style, or two in their order.

    Args:
        placed: a module that the plan names.
        inside: whether it stands in a region.
        sequence: whether ranks have some of the positions between regions.
    """
    whole: Placement = Replicate()
    between = Shard(POSITIONS) if sequence else whole
    if placed.cut is Cut.REGION:
        return [_region(placed.module, between)]
    if placed.cut is Cut.VOCABULARY and isinstance(
        placed.module, nn.Embedding
    ):
        # Else each rank's tokens would count as a part of the row.
        return [RowwiseParallel(input_layouts=whole)]
    dim = HEADS if inside else POSITIONS
    joined = PrepareModuleOutput(
        output_layouts=between, desired_output_layouts=whole
    )
    split = PrepareModuleOutput(
        output_layouts=whole, desired_output_layouts=between
    )
    table: dict[Cut, list[ParallelStyle]] = {
        Cut.ROWS: [ColwiseParallel()],
        # A summand, which the exit of the region adds up.
        Cut.COLUMNS: [
            RowwiseParallel(output_layouts=Partial(), use_local_output=False)
        ],
        # Logits stay in parts, for the loss.
        Cut.VOCABULARY: [ColwiseParallel(use_local_output=False)],
        Cut.SUMMED: [
            SequenceParallel(sequence_dim=dim, use_local_output=True)
        ],
        Cut.SPLIT: [split],
        Cut.JOINED: [SequenceParallel(), joined],
    }
    return table[placed.cut]


def _region(module: nn.Module, between: Placement) -> ParallelStyle:
    # What else attention reads, such as a turn, is the same on all ranks.
    rest = (None,) * (len(signature(module.forward).parameters) - 1)
    return PrepareModuleInputOutput(
        input_layouts=(between, *rest),
        desired_input_layouts=(Replicate(), *rest),
        output_layouts=Partial(),
        desired_output_layouts=between,
    )


def placed_for(
    model: Transformer, size: int, *, sequence: bool
) -> list[Placed]:
    """Find what our table cuts, and refuse what PyTorch would cut wrongly.

    Args:
        model: whole.
        size: number of ranks that share each layer.
        sequence: whether they also share the positions between regions.

    Raises:
        ValueError: heads or widths do not divide by ``size``, or the plan
            does not fit the model.
    """
    placed = place(model, SEQUENCE_PLAN if sequence else PLAN)
    check_heads(placed, size)
    for each in placed:
        linear = each.module
        if each.cut not in (Cut.ROWS, Cut.COLUMNS):
            continue
        assert isinstance(linear, nn.Linear)
        rows = each.cut is Cut.ROWS
        n = linear.out_features if rows else linear.in_features
        if n % size:
            # A style takes its parts of an activation for equally wide.
            raise ValueError(
                f"{each.name} is cut along {n} numbers, which {size} ranks "
                f"of tp do not share evenly; choose a multiple of {size}, or "
                f"take MeshParallel, which cuts unevenly"
            )
    return placed


def parallelize(
    stages: Collection[nn.Module],
    placed: Sequence[Placed],
    mesh: DeviceMesh,
    *,
    sequence: bool,
) -> None:
    """Cut some stages of a model along our table, by PyTorch's styles.

    Args:
        stages: of this rank, under the model's own names.
        placed: as :func:`placed_for` finds it in the whole model.
        mesh: of one dimension, whose ranks hold the same model.
        sequence: whether they share the positions between regions.
    """
    shared = [names for stage in stages for names in _shared(stage)]
    here = {id(part) for stage in stages for part in stage.modules()}
    regions = [each.name for each in placed if each.cut is Cut.REGION]
    for each in placed:
        if id(each.module) not in here:
            continue
        inside = each.name.rpartition(".")[0] in regions
        if each.cut is Cut.SUMMED and not [*each.module.parameters()]:
            continue
        for style in styles(each, inside=inside, sequence=sequence):
            parallelize_module(each.module, mesh, style, src_data_rank=None)
    for owner, first, others in shared:
        for name in others:
            _assign(owner, name, owner.get_parameter(first))


def _shared(owner: nn.Module) -> list[tuple[nn.Module, str, list[str]]]:
    """Return the names of weights that are used in several places."""
    names: defaultdict[Tensor, list[str]] = defaultdict(list)
    for name, p in owner.named_parameters(remove_duplicate=False):
        names[p].append(name)
    return [
        (owner, first, others) for first, *others in names.values() if others
    ]


def _assign(owner: nn.Module, name: str, p: nn.Parameter) -> None:
    path, _, leaf = name.rpartition(".")
    setattr(owner.get_submodule(path), leaf, p)
