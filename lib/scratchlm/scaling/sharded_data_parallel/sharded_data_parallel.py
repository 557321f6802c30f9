"""Optimizer state, gradients and parameters that ranks share out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed import ProcessGroup

from scratchlm.scaling.data_parallel.data_parallel import when_ready
from scratchlm.scaling.data_parallel.global_norm import global_norm
from scratchlm.scaling.sharded_data_parallel.units import Unit, plan_units
from scratchlm.training.optimizers.clipping import clip_gradients
from scratchlm.training.optimizers.groups import Several
from scratchlm.training.optimizers.muon import Muon


@runtime_checkable
class Steps(Protocol):
    """What of an optimizer is needed here."""

    def step(self) -> Any:
        """Move each parameter that has a gradient."""


MakeOptimizer = Callable[[nn.Module], Steps]


class ShardedDataParallel:
    """ZeRO: each rank keeps a part of what data parallelism keeps W times.

    ======  ===============  =========  ==========
    stage   optimizer state  gradients  parameters
    ======  ===============  =========  ==========
    1       a part           all        all
    2       a part           a part     all
    3       a part           a part     a part
    ======  ===============  =========  ==========

    The model stays as it is. Its parameters are whole while they are used,
    and between a step's last backward pass and the next forward pass this
    rank's pieces, which is what the optimizer moves::

        sharded = ShardedDataParallel(model, group, adamw_of, stage=3)
        sharded.backward(share)
        sharded.clip(1.0)
        sharded.step()

    At stage 3 a forward pass gathers, so every rank makes as many as the
    others; a rank without rows calls ``backward(None)`` instead.

    Args:
        model: in float32 or float64, the same on all ranks.
        group: whose ranks share it out.
        optimizer: called once with the whole model; must treat each number
            by itself, as Adam does.
        stage: what is shared out.
        modules: at stage 3, what is gathered one after another, in the order
            of use; the model's ``blocks`` if None. The rest is whole from
            the forward pass to the end of the backward pass.
        only: called with a parameter; whether it is shared out here, and not
            somewhere else. All are if None.
        dtype: of whole parameters, in which the model computes; the masters
            and the optimizer's state stay as the model is given.
        reduce_dtype: in which gradients are sent.

    Raises:
        ValueError: there is no such stage, the model is in a half type, it
            has no blocks, or the optimizer needs whole matrices.

    Source: Rajbhandari et al. 2020, "ZeRO"; Zhao et al. 2023, "PyTorch
    FSDP".
    """

    def __init__(  # noqa: PLR0913
        self,
        model: nn.Module,
        group: ProcessGroup,
        optimizer: MakeOptimizer,
        *,
        stage: Literal[1, 2, 3] = 3,
        modules: Sequence[nn.Module] | None = None,
        only: Callable[[nn.Parameter], bool] | None = None,
        dtype: torch.dtype = torch.float32,
        reduce_dtype: torch.dtype = torch.float32,
    ):
        if stage not in (1, 2, 3):
            raise ValueError(f"stage is {stage}; stages are 1, 2 and 3")
        _check_types(model)
        modules = _blocks(model) if modules is None else list(modules)
        self.model, self.group, self.stage = model, group, stage
        self.optimizer = optimizer(model)
        require_elementwise(self.optimizer)
        units = [
            Unit(
                parameters,
                group,
                dtype=dtype,
                reduce_dtype=reduce_dtype,
                frees=stage == 3,
            )
            if parameters
            else None
            for planned in plan_units(model, modules)
            for parameters in [[*filter(only or _all, planned)]]
        ]
        self.root, self.units = units[0], units[1:]
        self._inside, self._begun, self._sums = False, False, False
        self._awaited: dict[int, set[int]] = {}
        self._hooks: list[Any] = []
        self._watch(modules)

    @property
    def all_units(self) -> list[Unit]:
        """In the order of use."""
        return [u for u in (self.root, *self.units) if u is not None]

    def backward(
        self, loss: Float[Tensor, ""] | None, *, last: bool = True
    ) -> None:
        """Add the gradients of a loss, and share them out.

        Args:
            loss: this part's share of the loss of all ranks, or None of a
                rank that has no rows for this part.
            last: whether the step's gradients are complete with this one.
        """
        with self.summing(last=last):
            if loss is None:
                self._keep_step()
            else:
                loss.backward()  # type: ignore[no-untyped-call]  # torch's

    @contextmanager
    def summing(self, *, last: bool = True) -> Iterator[None]:
        """Let a backward pass run inside, whoever starts it.

        Args:
            last: whether the step's gradients are complete with this one.
        """
        if not self._begun:
            for unit in self.all_units:
                unit.begin()
            self._begun = True
        self._sums = last or self.stage > 1
        self._awaited = {
            k: set(unit.trained)
            for k, unit in enumerate(self.units)
            if unit is not None
        }
        # Another micro-batch may have gone back since this one's forward.
        self._before_rest()
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
        self._sum_after(-1)
        if self._sums and self.root is not None:
            self.root.start_sum()
        for unit in self.all_units:
            unit.free()
            unit.finish_sum()
        if last:
            self._give()

    def clip(self, longest: float) -> Float[Tensor, ""]:
        """Shorten the gradient of all ranks, as one vector, to a bound.

        Each number is on one rank, so each parameter counts once, also one
        that is used twice.

        Args:
            longest: the bound.

        Returns:
            The length before; where it is not finite, nothing is changed.

        Raises:
            ValueError: ``longest`` is not above 0.
        """
        pieces = [p for unit in self.all_units for p in unit.parameters]
        length = partial(global_norm, group=self.group)
        return clip_gradients(pieces, longest, length=length)

    def step(self) -> None:
        """Let the optimizer move this rank's pieces, and drop gradients."""
        with self.moving():
            self.optimizer.step()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Let an optimizer move this rank's pieces inside, whoever calls it.

        Gradients are dropped behind it.
        """
        for unit in self.all_units:
            unit.free()
        yield
        for unit in self.all_units:
            unit.begin()
            unit.forget_whole()
            if not unit.frees:
                unit.gather()

    @contextmanager
    def gathered(self) -> Iterator[nn.Module]:
        """Yield the model with all its parameters whole, to look at them."""
        for unit in self.all_units:
            unit.gather()
        try:
            yield self.model
        finally:
            for unit in self.all_units:
                unit.free()

    def close(self) -> None:
        """Make the parameters whole for good, and take the hooks off."""
        for unit in self.all_units:
            unit.gather()
        for hook in self._hooks:
            hook.remove()

    def _watch(self, modules: Sequence[nn.Module]) -> None:
        inside = {id(part) for module in modules for part in module.modules()}
        for part in self.model.modules():
            own = any(True for _ in part.parameters(recurse=False))
            if own and id(part) not in inside:
                self._hooks.append(
                    part.register_forward_pre_hook(self._before_rest)
                )
        for k, module in enumerate(modules):
            before = partial(self._before_forward, k)
            after = partial(self._after_forward, k)
            self._hooks += [
                module.register_forward_pre_hook(before),
                module.register_forward_hook(after),
            ]
        for k, unit in enumerate((self.root, *self.units), -1):
            for index in unit.trained if unit is not None else ():
                arrived = partial(self._arrived, k, index)
                p = unit.parameters[index]  # type: ignore[union-attr]
                self._hooks.append(when_ready(p, arrived))

    def _before_rest(self, *_: Any) -> None:
        if self.root is not None:
            self.root.gather()

    def _before_forward(self, k: int, *_: Any) -> None:
        self._before_rest()
        self._gather(k, then=k + 1)

    def _gather(self, k: int, *, then: int) -> None:
        """Make a unit whole, and begin with the one that is used next."""
        unit = self.units[k]
        if unit is not None:
            unit.gather()
        following = self.units[then] if 0 <= then < len(self.units) else None
        if following is not None:
            following.start_gather()

    def _after_forward(
        self, k: int, module: nn.Module, inputs: Any, output: Any
    ) -> None:
        unit = self.units[k]
        # The last one is needed again at once.
        last = k == len(self.units) - 1 and torch.is_grad_enabled()
        if unit is not None and not last:
            unit.free()
        for x in output if isinstance(output, tuple) else (output,):
            if isinstance(x, Tensor) and x.requires_grad:
                register: Callable[..., Any] = x.register_hook
                register(partial(self._before_backward, k))

    def _before_backward(self, k: int, *_: Any) -> None:
        self._sum_after(k)
        self._before_rest()
        self._gather(k, then=k - 1)

    def _keep_step(self) -> None:
        """Take part in what the others gather, without any rows."""
        if self.stage < 3:
            return
        self._before_rest()
        for k in range(len(self.units)):
            self._before_forward(k)
            self._after_forward(k, self.model, None, None)
        for k in reversed(range(len(self.units))):
            self._before_backward(k)

    def _arrived(self, k: int, index: int, _: Tensor) -> None:
        if not self._inside:
            raise ValueError(
                "a backward pass of its own would leave its gradients on "
                "this rank; call backward of ShardedDataParallel with the "
                "loss, or close it first"
            )
        unit = self.root if k < 0 else self.units[k]
        assert unit is not None
        if k >= 0 and k not in self._awaited:
            raise ValueError(
                f"a gradient of module {k} came when those of the module "
                f"were summed; give modules in the order of their use"
            )
        unit.take(index)
        if k >= 0:
            self._awaited[k].discard(index)
            if not self._awaited[k]:
                self._sum_after(k - 1)

    def _sum_after(self, k: int) -> None:
        """Sum the units behind one, from the last on, that are not yet."""
        for later in sorted(self._awaited, reverse=True):
            if later <= k:
                return
            del self._awaited[later]
            unit = self.units[later]
            assert unit is not None
            unit.free()
            if self._sums:
                for other in self.all_units:
                    other.finish_sum()  # one at a time is on its way
                unit.start_sum()

    def _give(self) -> None:
        flags = torch.tensor(
            [i in u.used for u in self.all_units for i in u.indices],
            dtype=torch.int32,
        )
        dist.all_reduce(flags, group=self.group)
        told = iter(flags.tolist())
        for unit in self.all_units:
            unit.give([next(told) > 0 for _ in unit.indices])
        self._begun = False


def _all(p: nn.Parameter) -> bool:
    return True


def _check_types(model: nn.Module) -> None:
    for name, p in model.named_parameters():
        if p.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{name} is in {p.dtype}; give the model in float32, which "
                f"the masters keep, and the type to compute in as dtype"
            )


def _blocks(model: nn.Module) -> list[nn.Module]:
    blocks = getattr(model, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise ValueError(
            f"{type(model).__name__} has no blocks to gather one after "
            f"another; say which modules"
        )
    return list(blocks)


def require_elementwise(optimizer: Steps) -> None:
    """Refuse an optimizer that needs whole matrices.

    Args:
        optimizer: of parameters of which a rank has parts.

    Raises:
        ValueError: it looks at more than one number at a time.
    """
    each: Sequence[Steps] = (
        optimizer.optimizers if isinstance(optimizer, Several) else [optimizer]
    )
    for one in each:
        names = {kind.__name__ for kind in type(one).__mro__}
        if isinstance(one, Muon) or names & {"Muon", "LBFGS", "Adafactor"}:
            raise ValueError(
                f"{type(one).__name__} looks at whole matrices, and a rank "
                f"has pieces of them; take AdamW, or DataParallel"
            )
