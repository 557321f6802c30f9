"""One model on a mesh of ranks, which share it along several axes."""

from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist

from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.context_and_expert_parallel.context_parallel import (
    ContextParallel,
    Share,
)
from scratchlm.scaling.context_and_expert_parallel.expert_parallel import (
    spread_experts,
)
from scratchlm.scaling.data_parallel.agreement import (
    fingerprint,
    require_same,
)
from scratchlm.scaling.data_parallel.data_parallel import DataParallel
from scratchlm.scaling.data_parallel.global_loss import (
    rank_rows,
    sum_over_ranks,
)
from scratchlm.scaling.data_parallel.global_norm import global_norm
from scratchlm.scaling.meshes.own_part import (
    forget_rest,
    hashes,
    joined,
    whole_rows,
)
from scratchlm.scaling.meshes.parts import (
    Parts,
    copies_of,
    cuts_of,
    first_names,
    units_of,
)
from scratchlm.scaling.meshes.process_mesh import ProcessMesh
from scratchlm.scaling.pipeline_parallel.actions import Kind, Schedule
from scratchlm.scaling.pipeline_parallel.executor import Pipeline
from scratchlm.scaling.pipeline_parallel.schedules import (
    one_forward_one_backward,
)
from scratchlm.scaling.pipeline_parallel.stages import split_model
from scratchlm.scaling.sharded_data_parallel.sharded_data_parallel import (
    MakeOptimizer,
    ShardedDataParallel,
    require_elementwise,
)
from scratchlm.scaling.tensor_parallel.plan import Plan
from scratchlm.scaling.tensor_parallel.tensor_parallel import TensorParallel
from scratchlm.scaling.tensor_parallel.vocabulary import loss_of_shards
from scratchlm.training.objective.loss import Loss, n_valid, next_token_loss
from scratchlm.training.optimizers.clipping import clip_gradients
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

MakeSchedule = Callable[[int, int], Schedule]
Of = Callable[[nn.Parameter], Tensor | None]
Sums: TypeAlias = DataParallel | ShardedDataParallel


class MeshParallel:
    """Train one model on a mesh of ranks as one process would.

    The parallelisms of the chapters before are applied one after another,
    each over the groups of its own axis, and none is told of the others::

        mesh = ProcessMesh(Mesh(dp=2, tp=2, pp=2), group)
        parallel = MeshParallel(model, mesh, adamw_of, n_micro=4)
        loss = parallel.step(batch, longest=1.0)

    Each rank keeps of the model what its place in the mesh needs. The
    model's own object is used up: what other stages hold is let go of.

    Args:
        model: the same on all ranks.
        mesh: of all ranks.
        optimizer: called once, with this rank's part of the model, which
            has ``blocks`` as the model has.
        n_micro: micro-batches of a step and a data parallel rank.
        schedule: called with the number of stages' ranks and ``n_micro``.
        sequence: whether tensor parallel ranks also share the positions
            between their regions.
        plan: of tensor parallelism; that of the book's transformer if None.
        context: the kind of context parallelism.
        zero: ZeRO stage of data parallel ranks; 0 for whole copies.

    Raises:
        ValueError: the ranks' models differ, heads, layers, experts or the
            micro-batches do not go with the mesh, or a schedule with split
            backward passes with ``zero``.
    """

    def __init__(  # noqa: PLR0913
        self,
        model: Transformer,
        mesh: ProcessMesh,
        optimizer: MakeOptimizer,
        *,
        n_micro: int = 1,
        schedule: MakeSchedule = one_forward_one_backward,
        sequence: bool = False,
        plan: Plan | None = None,
        context: str = "ring",
        zero: Literal[0, 1, 2, 3] = 0,
    ):
        require_same(fingerprint(model), mesh.whole)
        self.mesh, self.n_micro, self.zero = mesh, n_micro, zero
        self.schedule = schedule(mesh.sizes.pp, n_micro)
        _check(mesh, self.schedule, zero)
        self._vocab_size = model.config.vocab_size
        self._tensor: TensorParallel | None = None
        self._context: ContextParallel | None = None
        tables = self._cut(model, sequence, plan, context)
        firsts = first_names(model)
        self._split(model)
        self.parts = Parts(
            module=self.own,
            mesh=mesh,
            cuts=cuts_of(self.own, tables),
            copies=copies_of(self.own, self._pipeline.stages),
            firsts=firsts,
        )
        self.optimizer = optimizer(self.own)
        if mesh.size("tp") > 1:
            require_elementwise(self.optimizer)
        self.sums = [*self._make_sums()]
        self.pieces = units_of(self.sums)
        self.gradient_norm: Float[Tensor, ""] = torch.zeros(())
        self._begun = False

    def backward(self, batch: TokenBatch) -> Loss:
        """Leave the gradient of the mean loss of all rows in each ``grad``.

        Args:
            batch: all rows of the step, the same on all ranks.

        Returns:
            The loss of all rows, on each rank. Without a valid token there
            is no gradient.

        Raises:
            ValueError: there are fewer rows than data parallel ranks times
                ``n_micro``, or ranks begin with different rows.
        """
        if not self._begun:
            require_same(hashes(batch), self.mesh.whole)
            self._begun = True
        shares = self._shares(batch)
        own = sum(int(n_valid(share.targets)) for share in shares)
        count = int(sum_over_ranks(own, self.mesh.group("dp", "cp")))
        if count == 0:
            return Loss(torch.zeros((), dtype=torch.float64), torch.tensor(0))
        if self._tensor is not None:
            self._tensor.expect(shares[0].positions.shape[1])
        self._left = self._n_backward
        done = self._pipeline.step(shares, count)
        if self._left:  # a split backward pass ends with weights
            self._left = 1
            self._backward(None, None)
        nats = done.loss.total.double()
        dist.all_reduce(nats, group=self.mesh.group("dp", "cp"))
        return Loss(nats, torch.tensor(count))

    def step(self, batch: TokenBatch, *, longest: float | None = None) -> Loss:
        """Train on the rows of a step.

        Args:
            batch: all rows of the step, the same on all ranks.
            longest: the bound of the gradient's length; it is not shortened
                if None.

        Returns:
            The loss of all rows before the step. Without a valid token, or
            with a gradient that is not finite, nothing is moved.

        Raises:
            ValueError: see :meth:`backward`; or ``longest`` is not above 0.
        """
        loss = self.backward(batch)
        if loss.count == 0:
            return loss
        if longest is None:
            self.gradient_norm = self.length()
        else:
            self.gradient_norm = self.clip(longest)
        if self.gradient_norm.isfinite():  # the same on all ranks
            self.move()
        else:
            self.drop()
        return loss

    def length(self) -> Float[Tensor, ""]:
        """Return the length of the model's gradient, each number once."""
        counted = (p for name, p in self.parts if self._counts(name, p))
        return global_norm(counted, self.mesh.whole)

    def clip(self, longest: float) -> Float[Tensor, ""]:
        """Shorten the gradient of all ranks, as one vector, to a bound.

        Args:
            longest: the bound.

        Returns:
            The length before; where it is not finite, nothing is changed.

        Raises:
            ValueError: ``longest`` is not above 0.
        """
        return clip_gradients(
            self.own.parameters(), longest, length=lambda _: self.length()
        )

    def move(self) -> None:
        """Let the optimizer move this rank's parts, and drop gradients."""
        with self.moving():
            self.optimizer.step()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Let this rank's parts be moved inside, whoever moves them.

        Gradients are dropped behind it.
        """
        with ExitStack() as stack:
            for each in self.sums:
                if isinstance(each, ShardedDataParallel):
                    stack.enter_context(each.moving())
            yield
        self.drop()

    def drop(self) -> None:
        """Let go of the gradients of a step."""
        for p in self.own.parameters():
            p.grad = None

    def hide(self) -> None:
        """Let each parameter that ZeRO shares out be this rank's piece."""
        for unit in self.pieces.values():
            unit.free()

    def shape(self, p: nn.Parameter) -> torch.Size:
        """Return the shape of this rank's part, without ZeRO's cuts.

        Args:
            p: of this rank.
        """
        unit = self.pieces.get(p)
        return p.shape if unit is None else unit.shape_of(p)

    def whole(self, of: Of = lambda p: p) -> dict[str, Tensor]:
        """Join the parts of this rank's parameters, on each rank.

        All ranks call it.

        Args:
            of: what of a parameter is wanted, such as its gradient:
                ``lambda p: p.grad``. None is left out.

        Returns:
            Tensors under the names of the model: of the layers that this
            rank's stages have.
        """
        self.hide()
        found = {}
        for name, p in self.parts.names():
            x = of(p)
            if p in self.pieces:
                x = self.pieces[p].joined(p, x)
            if x is not None:
                found[name] = self.parts.join(name, x.detach())
        return found

    def _cut(
        self,
        model: Transformer,
        sequence: bool,
        plan: Plan | None,
        context: str,
    ) -> dict[str, dict[str, tuple[int, int]]]:
        """Cut the model's parts; by axis and name, what was cut and how."""
        mesh, tables = self.mesh, {}
        if mesh.size("ep") > 1:
            tables["ep"] = spread_experts(model, mesh.group("ep")).named()
        if mesh.size("tp") > 1:
            self._tensor = TensorParallel(
                model, mesh.group("tp"), sequence=sequence, plan=plan
            )
            tables["tp"] = self._tensor.shards.named()
        if mesh.size("cp") > 1:
            self._context = ContextParallel(
                model, mesh.group("cp"), kind=context
            )
        return tables

    def _split(self, model: Transformer) -> None:
        """Keep this rank's stages alone."""
        group = self.mesh.group("pp")
        numbers = self.schedule.stages_of(group.rank())
        stages = split_model(model, numbers, self.schedule.n_stages)
        self.own = joined(stages)
        if group.size() > 1:
            forget_rest(model, self.own)
        order = self.schedule.orders[group.rank()]
        self._n_backward = sum(a.kind is not Kind.FORWARD for a in order)
        n_crossing = None if self._tensor is None else self._tensor.n_here
        self._pipeline = Pipeline(
            stages,
            self.schedule,
            group,
            loss=self._loss,
            backward=self._backward,
            n_crossing=n_crossing,
        )

    def _make_sums(self) -> Iterator[Sums]:
        """Sum gradients over the ranks that hold the same parameters."""
        spread = {
            id(p) for name, p in self.parts if "ep" in self.parts.axes_of(name)
        }
        shared = {
            id(stage.shared_weight)
            for stage in self._pipeline.stages.values()
            if self.mesh.size("pp") > 1 and stage.shared_weight is not None
        }
        every = [p for p in self.own.parameters() if p.requires_grad]
        blocks = [
            block
            for stage in self._pipeline.stages.values()
            for block in stage.blocks.values()
        ]
        for axes, some in (
            (("edp", "cp"), [p for p in every if id(p) in spread]),
            (("dp", "cp"), [p for p in every if id(p) in shared]),
            (
                ("dp", "cp"),
                [p for p in every if id(p) not in spread | shared],
            ),
        ):
            if self.mesh.size(*axes) == 1 or not some:
                continue
            group = self.mesh.group(*axes)
            # Two ranks add their copies' gradients, which must be whole.
            if self.zero == 0 or id(some[0]) in shared:
                yield DataParallel(nn.ParameterList(some), group)
                continue
            yield ShardedDataParallel(
                self.own,
                group,
                lambda _: self.optimizer,
                stage=self.zero,
                dtype=some[0].dtype,
                reduce_dtype=some[0].dtype,
                modules=blocks,
                only=partial(_among, {id(p) for p in some}),
            )

    def _shares(self, batch: TokenBatch) -> list[Share]:
        """Return what this rank reads, micro-batch by micro-batch."""
        n_ranks, n_rows = self.mesh.size("dp"), len(batch.tokens)
        if n_rows < n_ranks * self.n_micro:
            raise ValueError(
                f"{n_rows} rows for {n_ranks} data parallel ranks of "
                f"{self.n_micro} micro-batches; give {n_ranks * self.n_micro} "
                f"rows or more, or fewer micro-batches"
            )
        rows = rank_rows(batch, self.mesh.group("dp"))
        parts = micro_batches(rows, self.n_micro)
        if self._context is not None:
            return [
                self._context.share(part.tokens, part.targets, part.documents)
                for part in parts
            ]
        return [whole_rows(part) for part in parts]

    def _loss(self, head: nn.Module, x: Tensor, targets: Tensor) -> Loss:
        weight: Any = head.weight
        tensor = self._tensor
        if tensor is None or weight not in tensor.shards:
            return next_token_loss(x, weight, targets)
        summed = loss_of_shards(tensor.group, self._vocab_size)
        return next_token_loss(x, weight, targets, summed=summed)

    def _backward(self, out: Tensor | None, gradient: Tensor | None) -> None:
        self._left -= 1
        with ExitStack() as stack:
            for each in self.sums:
                last = self._left == 0
                stack.enter_context(each.summing(last=last))
            if out is not None:
                out.backward(gradient)  # type: ignore[no-untyped-call]

    def _counts(self, name: str, p: nn.Parameter) -> bool:
        apart = {"edp", "ep", "cp"} if p in self.pieces else set()
        return self.parts.counts(name, also=apart)


def _among(some: Set[int], p: nn.Parameter) -> bool:
    return id(p) in some


def _check(mesh: ProcessMesh, schedule: Schedule, zero: int) -> None:
    if zero and schedule.splits:
        raise ValueError(
            f"{schedule.name} computes gradients of weights apart from the "
            f"backward pass, and ZeRO waits for them there; use another "
            f"schedule, or zero=0"
        )
    if schedule.n_micro < mesh.sizes.pp:
        raise ValueError(
            f"n_micro is {schedule.n_micro}, and {mesh.sizes.pp} stages of "
            f"ranks work at a time; give {mesh.sizes.pp} micro-batches or "
            f"more, and many times as many for a small bubble"
        )
