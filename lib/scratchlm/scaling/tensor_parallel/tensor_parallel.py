"""One model on several ranks, each of which computes a part of each layer."""

from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.scaling.collectives.conjugate import (
    all_gather,
    copy_to,
    gather_from,
    reduce_scatter,
    shard_sizes,
    split_to,
    sum_over,
)
from scratchlm.scaling.data_parallel.agreement import (
    fingerprint,
    require_same,
)
from scratchlm.scaling.tensor_parallel.plan import (
    PLAN,
    SEQUENCE_PLAN,
    Cut,
    Placed,
    Plan,
    place,
    require_alike_heads,
)
from scratchlm.scaling.tensor_parallel.shards import Shards
from scratchlm.scaling.tensor_parallel.vocabulary import (
    VocabularyShard,
    loss_of_shards,
)
from scratchlm.training.objective.loss import Loss, next_token_loss

SEQUENCE = 1  # the dimension of positions in (B, T, D)


class PartialLinear(nn.Linear):
    """A linear layer over some of the inputs; whoever sums adds the bias."""

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        """Return this rank's summand."""
        return F.linear(x, self.weight)


class TensorParallel:
    """Cut a model along a plan, so that ranks compute its layers together.

    The model is changed in place and not told: its modules get smaller
    weights, and hooks at the entrance and the exit of each region.

    Args:
        model: the same on all ranks.
        group: W ranks.
        sequence: whether each rank also keeps only some of the positions
            between the regions.
        plan: a table of cuts; that of the book's transformer if None.

    Raises:
        ValueError: the ranks' models differ, heads do not divide by W, or
            the plan does not fit the model.

    Attributes:
        shards: joins what was cut, and clips its gradients.

    Source: Shoeybi et al. 2019, "Megatron-LM"; for ``sequence`` Korthikanti
    et al. 2022, section 4.2.
    """

    def __init__(
        self,
        model: Transformer,
        group: dist.ProcessGroup,
        *,
        sequence: bool = False,
        plan: Plan | None = None,
    ):
        self.model, self.group, self.sequence = model, group, sequence
        if plan is None:
            plan = SEQUENCE_PLAN if sequence else PLAN
        require_same(fingerprint(model), group)
        placed = place(model, plan)
        check_heads(placed, group.size())
        self._n_tokens = 0  # of the rows that are under way
        self.shards = Shards(model, group)
        apply: dict[Cut, Callable[[Placed], None]] = {
            Cut.ROWS: self._rows,
            Cut.COLUMNS: self._columns,
            Cut.VOCABULARY: self._vocabulary,
            Cut.REGION: self._region,
            Cut.SUMMED: self._summed,
            Cut.SPLIT: self._split,
            Cut.JOINED: self._joined,
        }
        for each in placed:
            apply[each.cut](each)
        self.shards.forget_whole()

    def loss(
        self,
        tokens: Int[Tensor, "B T"],
        targets: Int[Tensor, "B T"],
        documents: Int[Tensor, "B T"] | None = None,
    ) -> Loss:
        """Return the loss, replicated, without ever gathering the logits.

        Args:
            tokens: the same on all ranks.
            targets: the tokens that came next.
            documents: as ``model.hidden`` takes them.

        Raises:
            ValueError: a token or a target is not in the vocabulary.
        """
        x = self.model.hidden(tokens, documents=documents)
        summed = loss_of_shards(self.group, self.model.config.vocab_size)
        weight: Tensor = self.model.head.weight
        return next_token_loss(x, weight, targets, summed=summed)

    def expect(self, n_tokens: int) -> None:
        """Say how long the rows are that come, if no embedding sees them.

        Args:
            n_tokens: T, of whole rows.
        """
        self._n_tokens = n_tokens

    def n_here(self, n_tokens: int) -> int:
        """Return how many positions this rank has between the regions.

        Args:
            n_tokens: T, of whole rows.
        """
        if not self.sequence:
            return n_tokens
        return shard_sizes(n_tokens, self.group.size())[self.group.rank()]

    def _rows(self, placed: Placed) -> None:
        linear = _linear(placed)
        linear.weight = self.shards.cut(linear.weight, 0)
        if linear.bias is not None:
            linear.bias = self.shards.cut(linear.bias, 0)
        linear.out_features = len(linear.weight)

    def _columns(self, placed: Placed) -> None:
        linear = _linear(placed)
        part = PartialLinear(1, 1, bias=False)
        part.weight = self.shards.cut(linear.weight, 1)
        part.out_features, part.in_features = part.weight.shape
        part.bias = linear.bias
        if self.sequence and part.bias is not None:
            self._sum_gradient(part.bias)
        self.model.set_submodule(placed.name, part)

    def _vocabulary(self, placed: Placed) -> None:
        module = placed.module
        n = self.model.config.vocab_size
        if isinstance(module, nn.Embedding):
            shard = VocabularyShard(
                self.shards.cut(module.weight, 0), n, self.group
            )
            self.model.set_submodule(placed.name, shard)
            return
        linear = _linear(placed)
        linear.weight = self.shards.cut(linear.weight, 0)
        linear.out_features = len(linear.weight)
        sizes = shard_sizes(n, self.group.size())
        linear.register_forward_pre_hook(
            lambda module, args: (copy_to(args[0], self.group), *args[1:])
        )
        linear.register_forward_hook(
            lambda module, args, x: gather_from(x, self.group, -1, sizes)
        )

    def _region(self, placed: Placed) -> None:
        module: Any = placed.module
        if isinstance(module, MixtureOfExperts):
            self._mixture(module)
            return
        if hasattr(module, "n_heads"):
            module.n_heads //= self.group.size()
            module.n_kv_heads //= self.group.size()

        def leave(module: nn.Module, args: Any, x: Tensor) -> Tensor:
            x = self._leave(x)
            for part in module.children():
                if isinstance(part, PartialLinear) and part.bias is not None:
                    x = x + part.bias  # once, and not on each rank
            return x

        module.register_forward_pre_hook(
            lambda module, args: (self._enter(args[0]), *args[1:])
        )
        module.register_forward_hook(leave)

    def _mixture(self, module: MixtureOfExperts) -> None:
        """Cut each expert along F; all ranks route the same rows alike.

        The router sees what one process sees, so that neither its choices
        nor the statistics of balancing are a matter of one rank's positions.
        """
        for name, dim in (("gate", 1), ("up", 1), ("down", 2)):
            setattr(module, name, self.shards.cut(getattr(module, name), dim))
        answer, group = module.visit, self.group

        def visit(
            rows: Float[Tensor, "m D"], ends: Int[Tensor, " E"]
        ) -> Float[Tensor, "m D"]:
            return sum_over(answer(copy_to(rows, group), ends), group)

        module.visit = visit  # type: ignore[method-assign]
        if self.sequence:
            module.register_forward_pre_hook(
                lambda module, args: gather_from(
                    args[0], group, SEQUENCE, self._sizes()
                )
            )
            module.register_forward_hook(
                lambda module, args, x: split_to(x, group, SEQUENCE)
            )

    def _enter(self, x: Tensor) -> Tensor:
        if self.sequence:
            return all_gather(x, self.group, SEQUENCE, self._sizes())
        return copy_to(x, self.group)

    def _leave(self, x: Tensor) -> Tensor:
        if self.sequence:
            return reduce_scatter(x, self.group, SEQUENCE)
        return sum_over(x, self.group)

    def _sizes(self) -> list[int]:
        return shard_sizes(self._n_tokens, self.group.size())

    def _summed(self, placed: Placed) -> None:
        for p in placed.module.parameters():
            self._sum_gradient(p)

    def _sum_gradient(self, p: nn.Parameter) -> None:
        register: Callable[..., Any] = p.register_hook
        register(lambda gradient: sum_over(gradient, self.group))

    def _split(self, placed: Placed) -> None:
        def split(module: nn.Module, args: Any, x: Tensor) -> Tensor:
            self._n_tokens = x.shape[SEQUENCE]
            return split_to(x, self.group, SEQUENCE)

        placed.module.register_forward_hook(split)

    def _joined(self, placed: Placed) -> None:
        self._summed(placed)
        placed.module.register_forward_hook(
            lambda module, args, x: gather_from(
                x, self.group, SEQUENCE, self._sizes()
            )
        )


def _linear(placed: Placed) -> nn.Linear:
    if not isinstance(placed.module, nn.Linear):
        raise ValueError(
            f"the plan cuts {placed.name} by {placed.cut}, but it is a "
            f"{type(placed.module).__name__}; only linear layers are cut so"
        )
    return placed.module


def check_heads(placed: Sequence[Placed], size: int) -> None:
    """Refuse attention of which ranks cannot have some of the heads each.

    Args:
        placed: what a plan names.
        size: number of ranks.

    Raises:
        ValueError: heads do not divide by ``size``, or are not all alike.
    """
    for each in placed:
        module: Any = each.module
        if each.cut is not Cut.REGION or not hasattr(module, "n_heads"):
            continue
        for name in ("n_heads", "n_kv_heads"):
            n = getattr(module, name)
            if n % size:
                raise ValueError(
                    f"{name} of {each.name} is {n}, which {size} ranks do "
                    f"not share; use a number of ranks that divides {n}"
                )
        require_alike_heads(each.name, module.core)
        for norm in (module.q_norm, module.k_norm):
            wide = [p for p in norm.parameters() if p.ndim > 1]
            if wide:
                raise ValueError(
                    f"{each.name} norms all heads together, and a rank has "
                    f"some of them; use norm_each_head"
                )
