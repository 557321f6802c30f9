"""The weights before the first step."""

from torch import nn

from scratchlm.model.block.norm import LayerNorm, RMSNorm

# The last linear map of a layer, whose result is added to the stream.
WRITERS = frozenset({"output", "down"})


def initialize(model: nn.Module, n_layers: int, *, std: float = 0.02) -> None:
    """Draw all weights as GPT-2 did.

    Matrices are normal with deviation ``std``; those that write to the
    residual stream are smaller by ``sqrt(2 L)``, since 2 L of them add up.
    Shifts are zero, and norms stay as they were made.

    Args:
        model: any module; its parameters are changed in place.
        n_layers: number of blocks L whose additions meet in one stream.
        std: 0.02 in GPT-2, whatever the width.

    Source: Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners", sec. 2.3.
    """
    for path, module in model.named_modules():
        if isinstance(module, LayerNorm | RMSNorm):
            continue
        for name, weight in module.named_parameters(recurse=False):
            part = path.rpartition(".")[2] if name == "weight" else name
            if weight.ndim < 2:
                nn.init.zeros_(weight)
            elif part in WRITERS:
                nn.init.normal_(weight, std=std / (2 * n_layers) ** 0.5)
            else:
                nn.init.normal_(weight, std=std)
