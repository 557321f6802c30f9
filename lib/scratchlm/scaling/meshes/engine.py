"""The same model on PyTorch's own engines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch._functorch import config as functorch
from torch._inductor import config as inductor
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import get_schedule_class

from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.context_and_expert_parallel.context_parallel import (
    ContextParallel,
)
from scratchlm.scaling.data_parallel.agreement import (
    fingerprint,
    require_same,
)
from scratchlm.scaling.data_parallel.global_loss import rank_rows
from scratchlm.scaling.meshes import torch_checkpoint
from scratchlm.scaling.meshes.own_part import hashes
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.meshes.torch_batches import Limits
from scratchlm.scaling.meshes.torch_plan import parallelize, placed_for
from scratchlm.scaling.meshes.torch_shards import (
    TorchShards,
    device_mesh,
    own,
    shard,
)
from scratchlm.scaling.meshes.torch_stages import (
    Held,
    LossStage,
    compile_whole,
    cut_stages,
    loss_in_parts,
    order_of,
    recompute,
)
from scratchlm.scaling.pipeline_parallel.shared_weights import (
    add_shared_gradients,
)
from scratchlm.scaling.sharded_data_parallel.sharded_data_parallel import (
    MakeOptimizer,
    require_elementwise,
)
from scratchlm.scaling.tensor_parallel.plan import Placed
from scratchlm.training.objective.loss import Loss, n_valid
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

TABLE, HEAD = "embedding.tokens.weight", "head.weight"


class Engine:
    """A model on a mesh, by FSDP2, DTensor, and PyTorch's pipelines.

    The model is not told. Its layers are cut along our own plan, translated
    into PyTorch's styles; its stages are handed to PyTorch's schedule; each
    block is a group of FSDP2 over ``dp`` and ``cp``. On a CPU PyTorch has no
    attention whose positions lie on several ranks, so along ``cp`` our own
    ring stands in::

        engine = Engine(model, mesh, adamw_of, n_micro=4)
        loss = engine.step(batch)

    Args:
        model: the same on all ranks; it is taken apart.
        mesh: of all ranks.
        optimizer: called once with what this rank holds of the model, which
            has ``blocks`` as the model has; must treat each number by itself.
        n_micro: parts in which a rank computes its rows.
        schedule: of the pipeline, a name of ``ORDERS``.
        sequence: whether ranks of ``tp`` also share the positions between
            the regions.
        compiled: whether each stage is compiled, whole.
        backend: of the compiler.
        checkpointed: whether a block's activations are computed again in the
            backward pass.
        dtype: in which the model computes; weights, the optimizer's state
            and sums over ranks stay in float32.

    Raises:
        ValueError: ranks hold different models, or heads, widths, layers,
            micro-batches or types do not fit the mesh.

    Attributes:
        gradient_norm: of the last step, before clipping.
        optimizer: of this rank's numbers.

    Source: Liang et al. 2025, "TorchTitan".
    """

    def __init__(  # noqa: PLR0913
        self,
        model: Transformer,
        mesh: ProcessMesh,
        optimizer: MakeOptimizer,
        *,
        n_micro: int = 4,
        schedule: str = "1F1B",
        sequence: bool = True,
        compiled: bool = False,
        backend: str = "inductor",
        checkpointed: bool = False,
        dtype: torch.dtype = torch.float32,
    ):
        _check(model, mesh, dtype)
        require_same(fingerprint(model), mesh.whole)
        self.mesh, self.n_micro = mesh, n_micro
        self._order = order_of(schedule, n_micro, mesh.size("pp"))
        self._sequence = sequence and mesh.size("tp") > 1
        self._limits = Limits.of(model, mesh, n_micro, sequence=self._sequence)
        self._shapes = {n: p.shape for n, p in model.named_parameters()}
        weight = next(model.parameters())
        self._device, self._dtype = weight.device, dtype
        self._d_model = model.config.d_model
        apart = self._take_apart(model)
        self._context, self._stages = apart.context, apart.stages
        held = Held([*self._stages.values()])
        if checkpointed:
            recompute(held.blocks.values())
        self._spread(apart.placed, mixed=dtype != weight.dtype)
        if compiled:
            compile_whole(self._stages.values(), backend)
        self._compiled = compiled
        self.shards = TorchShards(held, mesh, apart.copies)
        self.optimizer: Any = optimizer(held)
        require_elementwise(self.optimizer)
        self.gradient_norm = torch.zeros((), dtype=torch.float64)
        self._pipelines: dict[tuple[int, ...], Any] = {}
        self._begun = False
        self._nats, self._count = torch.zeros(()), torch.tensor(0)

    def step(self, batch: TokenBatch, longest: float = 1.0) -> Loss:
        """Move the model by the gradient of the mean loss of all rows.

        The mean is over the valid tokens of all ranks and micro-batches.
        Without any, or where the gradient is not finite, nothing moves.

        Args:
            batch: all rows, the same on all ranks.
            longest: the bound of the gradient's length.

        Returns:
            The loss of all rows before the step, the same on all ranks.

        Raises:
            ValueError: rows, positions or tokens do not fit, or ranks begin
                with different rows; before anything has started, and on all
                ranks.
        """
        if not self._begun:
            require_same(hashes(batch), self.mesh.whole)
            self._begun = True
        batch = self._limits.checked(batch, self._device)
        for p in self.shards.module.parameters():
            p.grad = None
        self._count = n_valid(batch.targets)
        self._nats = torch.zeros((), dtype=torch.float64, device=self._device)
        if self._count == 0:
            return Loss(self._nats, self._count)
        with self._running():
            self._backward(self._share(batch))
        self._add_copies()
        self.gradient_norm = self.shards.clip(longest)
        if self.gradient_norm.isfinite():  # the same on all ranks
            self.optimizer.step()
        if self.mesh.at["tp"] > 0:  # who computed the same loss again
            self._nats.zero_()
        dist.all_reduce(self._nats, group=self.mesh.whole)
        return Loss(self._nats, self._count)

    def whole(
        self, of: Callable[[nn.Parameter], Tensor | None] = lambda p: p
    ) -> dict[str, Tensor]:
        """Join the parts of this rank's stages; all ranks call it.

        Args:
            of: what of a parameter is wanted, such as its gradient:
                ``lambda p: p.grad``. None is left out.

        Returns:
            Tensors under the names of the model.
        """
        return self.shards.whole(of)

    def save(self, path: Path) -> None:
        """Save weights and the optimizer's state; every rank calls it.

        Args:
            path: of a folder, which is complete or absent, on a disk that
                all ranks see.

        Raises:
            ValueError: there is no folder for it, or a file has its name.
        """
        torch_checkpoint.save(path, self.shards, self.optimizer, TABLE)

    def load(self, path: Path) -> None:
        """Load what an engine on any mesh has saved; every rank calls it.

        Args:
            path: of the folder. Its metadata are a pickle: load what you
                have saved yourself.

        Raises:
            ValueError: there is no complete checkpoint, or it is of another
                model.
        """
        torch_checkpoint.load(
            path, self.shards, self.optimizer, TABLE, shapes=self._shapes
        )

    def _take_apart(self, model: Transformer) -> "Apart":
        mesh, size = self.mesh, self.mesh.size("tp")
        placed = (
            placed_for(model, size, sequence=self._sequence)
            if size > 1
            else []
        )
        copies = []
        several = self._order.chunks * mesh.size("pp") > 1
        if several and model.head.weight is model.embedding.tokens.weight:
            # Two stages, two weights, of one gradient.
            weight = model.head.weight.detach().clone()
            model.head.weight = nn.Parameter(weight)
            copies = [HEAD]
        context = None
        if mesh.size("cp") > 1:
            context = ContextParallel(model, mesh.group("cp"))
        at, n_ranks = mesh.at["pp"], mesh.size("pp")
        return Apart(
            context=context,
            stages=cut_stages(model, self._order, at, n_ranks),
            copies=copies,
            placed=placed,
        )

    def _spread(self, placed: Sequence[Placed], *, mixed: bool) -> None:
        policy = MixedPrecisionPolicy()
        if mixed:
            policy = MixedPrecisionPolicy(
                param_dtype=self._dtype, reduce_dtype=torch.float32
            )
        torch_mesh = device_mesh(self.mesh, self._device.type)
        if placed:
            parallelize(
                self._stages.values(),
                placed,
                torch_mesh["tp"],
                sequence=self._sequence,
            )
        # A pipeline would gather for each micro-batch anew.
        reshard = self.mesh.size("pp") == 1
        for stage in self._stages.values():
            shard(stage, torch_mesh["data"], policy, reshard=reshard)

    def _share(self, batch: TokenBatch) -> TokenBatch:
        """Return what this rank reads: some rows, and some of their places."""
        rows = rank_rows(batch, self.mesh.group("dp"))
        if self._context is None:
            return rows
        share = self._context.share(rows.tokens, rows.targets, rows.documents)
        return TokenBatch(
            tokens=share.tokens,
            targets=share.targets,
            documents=rows.documents,  # keys are everywhere
            positions=share.positions,
        )

    @contextmanager
    def _running(self) -> Iterator[None]:
        with ExitStack() as stack:
            if self.mesh.size("tp") > 1:
                stack.enter_context(loss_in_parts())
            if self._compiled and self._order.splits:
                # Such a schedule goes back twice through what a compiled
                # program would overwrite; and a program from the cache may
                # be of the other kind, since its key does not tell them
                # apart.
                stack.enter_context(functorch.patch(donated_buffer=False))
                stack.enter_context(inductor.patch(force_disable_caches=True))
            yield

    def _backward(self, share: TokenBatch) -> None:
        if self.mesh.size("pp") > 1:
            self._run_pipeline(share)
            return
        stage: Any = self._stages[0]
        for i, part in enumerate(micro_batches(share, self.n_micro)):
            last = i == self.n_micro - 1
            stage.set_is_last_backward(last)
            stage.set_requires_gradient_sync(last)
            nats = stage(part.tokens, **_rest(part))
            mean: Any = self._mean(nats, part.targets)
            mean.backward()

    def _mean(self, nats: Tensor, targets: Tensor) -> Tensor:
        """Return a part's share of the mean over all valid tokens."""
        self._nats += nats.detach()
        return nats / self._count

    def _run_pipeline(self, share: TokenBatch) -> None:
        n_rows, n_tokens = share.tokens.shape
        shape = n_rows // self.n_micro, n_tokens
        if shape not in self._pipelines:
            self._pipelines[shape] = self._pipeline(*shape)
        first, last = 0, self._order.chunks * self.mesh.size("pp") - 1
        self._pipelines[shape].step(
            *([share.tokens] if first in self._stages else []),
            target=share.targets if last in self._stages else None,
            return_outputs=False,
            **_rest(share),
        )

    def _pipeline(self, n_rows: int, n_tokens: int) -> Any:
        """Return a schedule for micro-batches of one shape.

        The shapes are said, since to find them out PyTorch would run a
        micro-batch, with the backward pass.
        """
        size = self.mesh.size("tp") if self._sequence else 1
        tokens = torch.empty(
            n_rows, n_tokens, dtype=torch.int64, device=self._device
        )
        stream = torch.empty(
            (n_rows, n_tokens // size, self._d_model),
            dtype=self._dtype,
            device=self._device,
            requires_grad=True,
        )
        n_stages = self._order.chunks * self.mesh.size("pp")
        stages = [
            PipelineStage(
                stage,
                at,
                n_stages,
                self._device,
                input_args=stream if at else tokens,
                output_args=stream if at < n_stages - 1 else stream.sum(),
                group=self.mesh.group("pp"),
            )
            for at, stage in self._stages.items()
        ]
        return get_schedule_class(self._order.kind)(
            stages if self._order.chunks > 1 else stages[0],
            self.n_micro,
            loss_fn=self._mean,
            # It would divide what earlier steps have summed once more.
            scale_grads=False,
        )

    def _add_copies(self) -> None:
        """Give both copies of a tied weight the sum of their gradients."""
        if not self.shards.copies:
            return
        size = self.mesh.size("pp")
        first = self._order.rank_of(0, size)
        last = self._order.rank_of(self._order.chunks * size - 1, size)
        grads = [
            own(p.grad)
            for name, p in self.shards.module.named_parameters()
            if name in (TABLE, HEAD) and p.grad is not None
        ]
        if len(grads) == 2:
            total = grads[0] + grads[1]
        elif grads:
            other = first + last - self.mesh.at["pp"]
            group = self.mesh.group("pp")
            total = add_shared_gradients(grads[0], group, other)
        for grad in grads:
            grad.copy_(total)


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A model that was taken apart.

    Args:
        context: gives each rank its positions; None where it has all.
        stages: of this rank, by number.
        copies: names of weights that count in another stage.
        placed: what our table cuts.
    """

    context: ContextParallel | None
    stages: dict[int, LossStage]
    copies: Sequence[str]
    placed: Sequence[Placed]


def _rest(part: TokenBatch) -> dict[str, Tensor]:
    """Return what a stage reads besides the stream."""
    named = part._asdict()
    del named["tokens"]
    return {name: x for name, x in named.items() if x is not None}


def _check(model: Transformer, mesh: ProcessMesh, dtype: torch.dtype) -> None:
    if mesh.size("ep") > 1:
        raise ValueError(
            f"ep is {mesh.size('ep')}, and PyTorch has no engine that "
            f"spreads experts; give ep 1, or take MeshParallel"
        )
    kinds = {p.dtype for p in model.parameters()}
    if dtype not in (torch.float32, torch.bfloat16, *kinds) or len(kinds) > 1:
        names = ", ".join(sorted(map(str, kinds)))
        raise ValueError(
            f"dtype is {dtype}, and the model's weights are {names}; give "
            f"weights of one type, best torch.float32, and as dtype "
            f"torch.float32 or torch.bfloat16"
        )
    for name, p in model.named_parameters():
        if p.ndim == 0:
            raise ValueError(
                f"{name} has no dimension along which ranks could share it; "
                f"give it the shape (1,)"
            )
