"""Our models as models of EleutherAI's lm-evaluation-harness.

The harness brings tasks, prompts and metrics; the scores come from
``scratchlm.evaluation.perplexity``. The package works without the harness,
and only its tests install it: ``pip install lm-eval==0.4.13``.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn

from scratchlm.evaluation.perplexity.joining import Question
from scratchlm.evaluation.perplexity.perplexity import token_nats
from scratchlm.evaluation.perplexity.scoring import score_continuations
from scratchlm.inference.cache.generate import complete
from scratchlm.text.tokenizer.base import SubwordTokenizer

# A text before and behind, and the ids of both.
Pair = tuple[tuple[str, str], list[int], list[int]]
MAX_NEW_TOKENS = 256  # the harness's own, where a task sets none


def lm_eval_model(
    model: nn.Module, tokenizer: SubwordTokenizer, *, end_id: int
) -> Any:
    """Return a model that ``lm_eval.simple_evaluate`` takes.

    Texts are cut into context and continuation as the harness does it, so
    that scores compare with published ones.

    Args:
        model: a causal transformer in eval mode.
        tokenizer: the one that it was trained with.
        end_id: ends a text, and stands before one that has no context.

    Raises:
        ImportError: lm-evaluation-harness is not installed.
    """
    try:
        from lm_eval.api.model import TemplateLM  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            "lm_eval_model needs lm-evaluation-harness, which cannot be "
            f"imported ({error}); run pip install lm-eval==0.4.13"
        ) from None
    made = type("ScratchLM", (_Answers, TemplateLM), {})
    return made(model, tokenizer, end_id)


class _Answers:
    """What the harness asks of a model, in its own names."""

    def __init__(
        self, model: nn.Module, tokenizer: SubwordTokenizer, end_id: int
    ):
        super().__init__()
        self.model, self.ours, self.end_id = model, tokenizer, end_id

    @property
    def eot_token_id(self) -> int:
        """The id that ends a text."""
        return self.end_id

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        **_: Any,
    ) -> list[int]:
        """Return ids; no token is put around the text unless asked for."""
        return self.ours.encode(
            string,
            allowed_special="all",
            add_special_tokens=bool(add_special_tokens),
        )

    def _loglikelihood_tokens(
        self, requests: Sequence[Pair], **_: Any
    ) -> list[tuple[float, bool]]:
        """Score continuations; those of one context make one question."""
        by_context: dict[tuple[int, ...], list[int]] = {}
        for number, (_texts, context, _ids) in enumerate(requests):
            by_context.setdefault(tuple(context), []).append(number)
        questions = [
            Question(
                context=context,
                continuations=tuple(tuple(requests[i][2]) for i in some),
            )
            for context, some in by_context.items()
        ]
        found: dict[int, tuple[float, bool]] = {}
        scores = score_continuations(self.model, questions)
        for some, each in zip(by_context.values(), scores, strict=True):
            pairs = zip(
                each.log_prob.tolist(), each.greedy.tolist(), strict=True
            )
            found.update(zip(some, pairs, strict=True))
        return [found[i] for i in range(len(requests))]

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """Return the log-likelihood of each whole text."""
        documents = [self.tok_encode(each.args[0]) for each in requests]
        nats = token_nats(self.model, documents, start_id=self.end_id)
        return [-float(each.sum()) for each in nats]

    def generate_until(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[str]:
        """Return what is written behind each context, greedily."""
        return [self._written(*each.args) for each in requests]

    def _written(self, context: str, settings: dict[str, Any]) -> str:
        if settings.get("do_sample") or settings.get("temperature"):
            raise ValueError(
                f"generation is asked for with {settings}, and only greedy "
                "texts compare between programs; leave do_sample and "
                "temperature out"
            )
        until = settings.get("until") or []
        given = [until] if isinstance(until, str) else until
        terms = [term for term in given if term]  # all texts hold ""
        n_new = int(settings.get("max_gen_toks", MAX_NEW_TOKENS))
        room = self.model.config.max_tokens - n_new  # type: ignore
        if room < 1:
            raise ValueError(
                f"max_gen_toks is {n_new}, which leaves the model's context "
                "no token of the prompt; lower it"
            )
        prompt = self.tok_encode(context)[-room:] or [self.end_id]

        def ends(written: Sequence[int]) -> bool:
            text = self.ours.decode(written)
            return written[-1] == self.end_id or any(t in text for t in terms)

        (ids,) = complete(
            self.model, [prompt], max_new_tokens=n_new, stop=ends
        )
        text = self.ours.decode([i for i in ids if i != self.end_id])
        for term in terms:
            text = text.split(term)[0]
        return text
