"""What a rank holds of a model in PyTorch's distributed tensors."""

from collections.abc import Callable, Collection

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
)
from torch.distributed.tensor import DTensor, Replicate

from scratchlm.scaling.data_parallel.global_norm import global_norm
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.meshes.torch_stages import LossStage
from scratchlm.training.optimizers.clipping import clip_gradients


def device_mesh(mesh: ProcessMesh, kind: str) -> DeviceMesh:
    """Return PyTorch's mesh of the ranks that hold this rank's stages.

    Args:
        mesh: of all ranks.
        kind: of their devices, such as ``"cpu"``.

    Returns:
        Two dimensions: ``data``, along which weights are spread and
        gathered, and ``tp``. They use the groups of ``mesh``.
    """
    shape = mesh.size("dp", "cp"), mesh.size("tp")
    ranks = torch.tensor(mesh.ranks("dp", "cp", "tp")).view(shape)
    every = torch.distributed.get_process_group_ranks(mesh.whole)
    return DeviceMesh.from_group(
        [mesh.group("dp", "cp"), mesh.group("tp")],
        kind,
        mesh=torch.tensor(every)[ranks],
        mesh_dim_names=("data", "tp"),
    )


def shard(
    stage: LossStage,
    mesh: DeviceMesh,
    policy: MixedPrecisionPolicy,
    *,
    reshard: bool,
) -> None:
    """Spread a stage's weights over ranks, by FSDP2, block after block.

    What stands outside of the blocks is one group, so that a weight that is
    used at both ends is in one. Gradients are summed and not averaged: the
    loss is divided by the tokens of all ranks already.

    Args:
        stage: its parameters become distributed tensors.
        mesh: of one dimension.
        policy: the types of what is gathered, and of what is summed.
        reshard: whether a block's weights are let go between the forward and
            the backward pass.
    """
    for unit in (*stage.blocks.values(), stage):
        fully_shard(
            unit, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard
        )
    for unit in stage.modules():
        if isinstance(unit, FSDPModule):
            unit.set_gradient_divide_factor(1.0)
            # Else the factor is a kind of sum that gloo does not have.
            unit.set_force_sum_reduction_for_comms(True)


class TorchShards:
    """The parts that one rank has of a model's parameters.

    Args:
        module: has distributed tensors for parameters, under the names of
            the model.
        mesh: of all ranks.
        copies: names of weights that count in another stage.
    """

    def __init__(
        self, module: nn.Module, mesh: ProcessMesh, copies: Collection[str]
    ):
        self.module, self.mesh, self.copies = module, mesh, copies

    def counts(self, name: str, p: Tensor) -> bool:
        """Return whether this rank's numbers of a parameter count.

        Each number of the model counts on one rank, however many hold it.

        Args:
            name: of the parameter.
            p: a distributed tensor.
        """
        assert isinstance(p, DTensor)
        axes = p.device_mesh.mesh_dim_names
        assert axes is not None
        along = dict(zip(axes, p.placements, strict=True))
        cut = not along.get("tp", Replicate()).is_replicate()
        return name not in self.copies and (cut or self.mesh.at["tp"] == 0)

    def whole(
        self, of: Callable[[nn.Parameter], Tensor | None] = lambda p: p
    ) -> dict[str, Tensor]:
        """Join the parts of this rank's stages; all ranks call it.

        Args:
            of: what of a parameter is wanted, such as its gradient:
                ``lambda p: p.grad``. None is left out.

        Returns:
            Tensors under the names of the model, which later steps leave as
            they are.
        """
        named = self.module.named_parameters(remove_duplicate=False)
        found = {name: of(p) for name, p in named}
        return {
            name: _joined(x.detach())
            for name, x in found.items()
            if x is not None
        }

    def clip(self, longest: float) -> Float[Tensor, ""]:
        """Shorten the gradient of all ranks, as one vector, to a bound.

        The squares of this rank's own numbers are summed, and then those of
        all ranks. A norm of a distributed tensor may be a summand, of which
        ``item`` and a comparison see this rank's share without a word.

        Args:
            longest: the bound.

        Returns:
            The length before; where it is not finite, nothing is changed.

        Raises:
            ValueError: ``longest`` is not above 0.
        """
        every, counted = [], []
        for name, p in self.module.named_parameters():
            if p.grad is not None:
                part = own(p.detach())
                part.grad = own(p.grad)  # the same memory
                every.append(part)
                counted += [part] if self.counts(name, p) else []
        return clip_gradients(
            every,
            longest,
            length=lambda _: global_norm(counted, self.mesh.whole),
        )


def own(x: Tensor) -> Tensor:
    """Return a rank's own numbers of a distributed tensor, in its memory."""
    return x.to_local() if isinstance(x, DTensor) else x


def _joined(x: Tensor) -> Tensor:
    if not isinstance(x, DTensor):
        return x.clone()
    whole = x.full_tensor()
    # Of a part that is all, PyTorch returns the very memory.
    same = whole.data_ptr() == own(x).data_ptr()
    return whole.clone() if same else whole
