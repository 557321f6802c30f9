"""All that changes while a run goes on."""

import random
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scratchlm.model.transformer.transformer import Transformer
from scratchlm.text.shards.batches import Batches
from scratchlm.text.shards.rows import Batch
from scratchlm.training.pretraining.memory import recompute_blocks
from scratchlm.training.pretraining.precision import find_dtype, loss_scale
from scratchlm.training.pretraining.run import Run


class Training:
    """A run, and where it stands.

    Args:
        run: what is to be done. The first weights are drawn from its seed.

    Attributes:
        model: with its weights.
        optimizer: with its state.
        batches: with their position, which is that of the step's beginning
            until the step is done.
        scale: of the loss, for float16.
        step: how many steps are done, skipped ones too.
        micro: how many parts of the next step are done; their gradients are
            summed in the parameters.
        nats: of the valid tokens of these parts, summed.
        tokens: valid ones of all steps that were taken.
        skipped: steps that were not taken, since something was not finite.
        in_a_row: of these, the ones since the last step that was taken.
        seconds: that all steps took.
    """

    def __init__(self, run: Run):
        self.run = run
        self.device = torch.device(run.device)
        self.dtype = find_dtype(run.dtype)
        seed_everything(run.seed)
        self.model = Transformer(run.model).to(self.device)
        self.optimizer = run.optimizer(self.model)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.batches: Batches = run.batches()
        self.scale = loss_scale(self.dtype)
        self.step = self.micro = self.tokens = 0
        self.skipped = self.in_a_row = 0
        self.seconds = 0.0
        self.nats = torch.zeros((), device=self.device)
        if run.recompute:
            recompute_blocks(self.model)
        if run.compiled:
            compiled = torch.compile(self.model.hidden)
            self.model.hidden = compiled  # type: ignore[method-assign]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those that are trained."""
        return [p for p in self.model.parameters() if p.requires_grad]

    @property
    def gradients(self) -> list[Tensor]:
        """Those that there are."""
        return [p.grad for p in self.parameters if p.grad is not None]

    def batch(self) -> Batch:
        """Return the rows of the next step, without going on."""
        first = self.batches.samples_seen
        return self.batches.batch(
            first, first + self.batches.config.batch_size
        )

    def go_on(self, seconds: float) -> None:
        """Count a step as done, whose rows are those behind it from now on.

        Args:
            seconds: that it took.
        """
        self.batches.samples_seen += self.batches.config.batch_size
        self.step += 1
        self.micro = 0
        self.nats = torch.zeros((), device=self.device)
        self.seconds += seconds

    def set_rate(self) -> float:
        """Give the optimizer the learning rates of the next step.

        Returns:
            The part of their peaks.
        """
        part = self.run.schedule(self.step)
        for group, peak in zip(
            self.optimizer.param_groups, self.peaks, strict=True
        ):
            group["lr"] = peak * part
        return part

    def about(self) -> dict[str, Any]:
        """Return what a checkpoint must agree on with this run."""
        return self.run.about() | {"data": self.batches.fingerprint}

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on to the bit, mid-step too."""
        named = self.model.named_parameters()
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "gradients": {
                name: weight.grad
                for name, weight in named
                if self.micro and weight.grad is not None
            },
            "nats": self.nats,
            "batches": self.batches.state_dict(),
            "scale": self.scale.state_dict(),
            "draws": generator_states(),
            **{name: getattr(self, name) for name in _COUNTS},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned.

        Args:
            state: of a run with the same :meth:`about`.

        Raises:
            ValueError: weights or data are of another run.
        """
        self.batches.load_state_dict(state["batches"])
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise ValueError(
                f"the weights are of another model: {error}"
            ) from None
        # A copy, since torch would keep the very tensors and write in them.
        self.optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self.scale.load_state_dict(state["scale"])
        for name, weight in self.model.named_parameters():
            gradient = state["gradients"].get(name)
            weight.grad = (
                None
                if gradient is None
                else gradient.to(self.device, copy=True)
            )
        self.nats = state["nats"].to(self.device)
        for name in _COUNTS:
            setattr(self, name, state[name])
        set_generator_states(state["draws"])


_COUNTS = ("step", "micro", "tokens", "skipped", "in_a_row", "seconds")


def seed_everything(seed: int) -> None:
    """Set the generators of Python, NumPy and PyTorch.

    Args:
        seed: 0 or more.
    """
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """Return where each generator of random numbers is."""
    name, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.array(keys)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def set_generator_states(states: Mapping[str, Any]) -> None:
    """Put each generator where it was.

    A machine with other GPUs than the one where the state is from begins
    their draws anew.

    Args:
        states: as :func:`generator_states` returns them.
    """
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.asarray(keys), *rest))
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
