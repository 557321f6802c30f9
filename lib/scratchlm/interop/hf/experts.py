"""Layers of experts as published models describe them."""

from functools import partial

from scratchlm.interop.hf.config import Aspect, Parts
from scratchlm.interop.settings import (
    MOST,
    Reader,
    Settings,
    settings_of,
)
from scratchlm.model.experts.experts import MixtureOfExperts
from scratchlm.model.experts.routing import SoftmaxRouter
from scratchlm.model.transformer.transformer import TransformerConfig


def experts(count: str, *others: str, normalize: bool | None) -> Aspect:
    """Return layers of experts.

    Args:
        count: what the family calls the number of experts.
        others: other names that it goes by.
        normalize: whether a token's weights sum to 1; None where
            ``norm_topk_prob`` says it.
    """

    def read(reader: Reader) -> Parts:
        given = [n for n in (count, *others) if n in reader.settings]
        normalized = (
            reader.flag("norm_topk_prob", False)
            if normalize is None
            else normalize
        )
        return {
            "feedforward": partial(
                MixtureOfExperts,
                n_experts=reader.size(given[0] if given else count, most=MOST),
                top_k=reader.size("num_experts_per_tok"),
                router=partial(SoftmaxRouter, normalize=normalized),
            )
        }

    def write(config: TransformerConfig) -> Settings:
        given = settings_of(config.part("feedforward", 0))
        router = settings_of(given.get("router"))
        settings = {
            count: given.get("n_experts"),
            "num_experts_per_tok": given.get("top_k"),
        }
        if normalize is None:
            settings["norm_topk_prob"] = router.get("normalize")
        return settings

    return Aspect(read, write)
