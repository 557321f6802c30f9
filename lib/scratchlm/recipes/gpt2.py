"""GPT-2's smallest model on educational web pages, for eight GPUs."""

from functools import partial
from pathlib import Path

from scratchlm.model.published.presets import gpt2
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.sharded_text import ShardedText, gpt2_tokenizer
from scratchlm.recipes.small_model import check_rate
from scratchlm.text.corpora.public_data import FINEWEB_EDU
from scratchlm.training.optimizers.groups import adamw
from scratchlm.training.optimizers.schedules import Cosine
from scratchlm.training.pretraining.run import Run

N_TOKENS = 1024
WARM_UP = 715  # steps for 375 million tokens, as GPT-3's had
ENDED_BY = 10_000_000_000  # tokens


def gpt2_124m(  # noqa: PLR0913
    *,
    folder: str = "data/fineweb-edu",
    stream: bool = False,
    local: str | None = None,
    held_out_tokens: int = 1_000_000,
    n_steps: int = ENDED_BY // (512 * N_TOKENS),
    batch_size: int = 512,
    n_micro: int = 32,
    lr: float = 6e-4,
    dtype: str = "bfloat16",
    compiled: bool = False,
    seed: int = 0,
    device: str = "cuda",
) -> Recipe:
    """Train GPT-2's 124 million parameters on FineWeb-Edu, for eight GPUs.

    Args:
        folder: of the shards and their tokenizer.
        stream: fetch the text and write the shards where they are missing.
        local: folder of local data, in the place of the network.
        held_out_tokens: of the first documents, which no step sees.
        n_steps: of the run; ten billion tokens if not given.
        batch_size: rows of a step over all GPUs, 1,024 tokens each.
        n_micro: parts of a step, for memory.
        lr: peak learning rate.
        dtype: of matrix products.
        compiled: let torch.compile translate the model.
        seed: of weights and order.
        device: where to train.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask
    Learners", for the model; Brown et al. 2020, "Language Models are Few-Shot
    Learners", table 2.1 and appendix B, for batch, rate and schedule.
    """
    check_rate(lr)
    model = gpt2("124M")
    text = _text(model.vocab_size, folder, stream, local, held_out_tokens)
    run = Run(
        model=model,
        batches=text.batching(N_TOKENS, batch_size, seed),
        n_steps=n_steps,
        optimizer=partial(adamw, lr=lr),
        schedule=_schedule(n_steps),
        n_micro=n_micro,
        dtype=dtype,
        compiled=compiled,
        seed=seed,
        device=device,
        evaluate=partial(text.held_out_loss, n_tokens=N_TOKENS),
        evaluate_every=max(1, min(250, n_steps // 20)),
    )
    return text.trained_on(run, N_TOKENS, batch_size)


def _schedule(n_steps: int) -> Cosine:
    warmup = min(WARM_UP, max(0, n_steps // 10))
    return Cosine(warmup=warmup, n_steps=n_steps, floor=0.1)


def _text(
    vocab_size: int, folder: str, stream: bool, local: str | None, n: int
) -> ShardedText:
    return ShardedText(
        recipe="gpt2-124m",
        folder=Path(folder),
        dataset=FINEWEB_EDU,
        megabytes=50_000,
        vocab_size=vocab_size,
        learn=gpt2_tokenizer,
        stream=stream,
        local=None if local is None else Path(local),
        n_held_out=n,
    )
