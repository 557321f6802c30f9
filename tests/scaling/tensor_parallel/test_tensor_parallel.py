"""Layers cut over ranks: each gradient against one process."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.scaling.small_models import SMALL, apart, build
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from scratchlm.model.attention.attention import Attention
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.block.norm import (
    LayerNorm,
    norm_all_heads,
    norm_each_head,
)
from scratchlm.model.efficient_attention.latent_attention import (
    LatentAttention,
)
from scratchlm.model.embeddings.embedding import LearnedPositions
from scratchlm.model.positions.alibi import ALiBi
from scratchlm.model.positions.rotary import NoRotation
from scratchlm.scaling.collectives.local import RankError, run
from scratchlm.scaling.tensor_parallel.plan import SEQUENCE_PLAN, Cut
from scratchlm.scaling.tensor_parallel.tensor_parallel import TensorParallel
from scratchlm.training.objective.loss import next_token_loss
from scratchlm.training.optimizers.adam import AdamW

CONFIGS = {
    "grouped heads": SMALL,
    "biases": replace(
        SMALL,
        attention=partial(Attention, bias=True, out_bias=True),
        feedforward=(MLP, SwiGLU),
        norm=LayerNorm,
    ),
    "tied, with learned positions": replace(
        SMALL, tied=True, embedding=LearnedPositions, rotary=NoRotation
    ),
    "norm of each head": replace(
        SMALL, attention=partial(Attention, qk_norm=norm_each_head)
    ),
}
WIDE = replace(SMALL, n_kv_heads=4)


def draw(seed=0, n_tokens=10):
    """Packed rows of unequal numbers of targets, one without any."""
    generator = torch.Generator().manual_seed(seed)
    tokens, targets = torch.randint(61, (2, 3, n_tokens), generator=generator)
    documents = torch.zeros_like(tokens)
    documents[1, 4:] = 1
    targets[0, :3] = targets[2] = -100
    return tokens, targets, documents


def whole_loss(model, tokens, targets, documents):
    x = model.hidden(tokens, documents=documents)
    return next_token_loss(x, model.head.weight, targets)


def train(group, config, sequence, n_steps=5, dtype=torch.float64):
    """How far losses, gradients, norms and weights are from one process."""
    alone, model = build(config).to(dtype), build(config).to(dtype)
    parallel = TensorParallel(model, group, sequence=sequence)
    optimizers = [AdamW(m.parameters(), lr=1e-2) for m in (alone, model)]
    off = {}
    for step in range(n_steps):
        batch = draw(step)
        due, loss = whole_loss(alone, *batch), parallel.loss(*batch)
        assert due.count == loss.count
        off[step, "loss"] = apart(loss.total.detach(), due.total.detach())
        due.over(due.count).backward()
        loss.over(loss.count).backward()
        found = parallel.shards.whole(lambda p: p.grad)
        wanted = dict(alone.named_parameters(remove_duplicate=False))
        assert found.keys() == wanted.keys()
        if step == 0:
            off |= {
                name: apart(found[name], wanted[name].grad) for name in wanted
            }
        norm = torch.nn.utils.get_total_norm(
            [p.grad for p in alone.parameters()]
        )
        for p in alone.parameters():  # torch's own clipping adds 1e-6
            p.grad.mul_(min(1.0, 0.5 / float(norm)))
        ours = parallel.shards.clip(0.5)
        off[step, "norm"] = abs(ours - float(norm)) / float(norm)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    found = parallel.shards.whole()
    for name, weight in alone.named_parameters(remove_duplicate=False):
        off["trained", name] = apart(found[name], weight.detach())
    return off  # fmt: skip


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_two_ranks_compute_what_one_process_does(ranks, config, sequence):
    """A bias added once per rank, a norm's weight that keeps one rank's
    gradient, a tie that is cut apart, a norm of the gradient that counts
    replicated parameters twice: the loss looks normal in each."""
    for off in ranks(2)(train, config, sequence):
        assert max(off.values()) < 1e-11, off


@pytest.mark.parametrize("sequence", [False, True])
def test_in_single_precision_only_roundings_differ(ranks, sequence):
    """A sum that is rounded to fewer bits on its way. The order of sums
    differs, so the bits do: within 1e-6 in each gradient."""
    for off in ranks(2)(train, SMALL, sequence, 1, torch.float32):
        gradients = {k: v for k, v in off.items() if "trained" not in k}
        assert max(gradients.values()) < 1e-6, gradients


@pytest.mark.parametrize("sequence", [False, True])
def test_four_ranks_too(ranks, sequence):
    """Ranks of unlike shares, three of which are not the first."""
    for off in ranks(4)(train, WIDE, sequence, 2):
        assert max(off.values()) < 1e-11, off


def test_fewer_positions_than_ranks(ranks):
    """Ranks without any position, which must come to every collective."""

    def check(group):
        alone, model = build(WIDE), build(WIDE)
        parallel = TensorParallel(model, group, sequence=True)
        tokens, targets, documents = draw(n_tokens=3)
        targets[2, 1] = 5
        due = whole_loss(alone, tokens, targets, documents)
        loss = parallel.loss(tokens, targets, documents)
        due.total.backward()
        loss.total.backward()
        found = parallel.shards.whole(lambda p: p.grad)
        return max(
            apart(found[name], p.grad) for name, p in alone.named_parameters()
        )

    assert max(ranks(4)(check)) < 2e-6


def test_logits_come_back_whole_and_causal(ranks):
    """Each rank returns the scores of its own tokens as though they were
    all; or positions cut apart see what comes after them."""

    def check(group, sequence):
        alone, model = build(SMALL), build(SMALL)
        TensorParallel(model, group, sequence=sequence)
        tokens, *_ = draw()
        changed = tokens.clone()
        changed[:, 6:] = (changed[:, 6:] + 1) % 61
        with torch.no_grad():
            logits, after = model(tokens), model(changed)
            torch.testing.assert_close(logits, alone(tokens))
        torch.testing.assert_close(logits[:, :6], after[:, :6])
        assert not torch.allclose(logits[:, 6:], after[:, 6:])

    for sequence in (False, True):
        ranks(2)(check, sequence)


def test_each_rank_holds_its_share(ranks):
    """A plan that cuts nothing is equal to one process too."""

    def held(group):
        parallel = TensorParallel(build(SMALL), group)
        return sum(p.numel() for p in parallel.model.parameters())

    total = sum(p.numel() for p in build(SMALL).parameters())
    norms = sum(p.numel() for p in build(SMALL).parameters() if p.ndim == 1)
    counts = ranks(2)(held)
    assert sum(counts) == total + norms
    assert max(counts) < 0.52 * total


def test_a_rank_that_starts_from_other_weights_is_found():
    """Shards of two models, joined into one that nobody trained."""

    def start(group):
        model = build(SMALL)
        if group.rank() == 1:
            model.norm.weight.data[0] += 1
        TensorParallel(model, group)

    with pytest.raises(RankError, match=r"norm\.weight"):
        run(start, 2)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (replace(SMALL, n_kv_heads=1), "n_kv_heads of .* is 1, which 2"),
        (replace(SMALL, n_heads=6, n_kv_heads=3), "n_kv_heads .* is 3"),
        (replace(SMALL, core=ALiBi), "ALiBi, treats each head in its own"),
        (
            replace(
                SMALL, attention=partial(Attention, qk_norm=norm_all_heads)
            ),
            "norms all heads together.*use norm_each_head",
        ),
        (
            replace(
                SMALL,
                n_kv_heads=4,
                attention=partial(LatentAttention, d_latent=12, d_rotary=4),
                d_rotary=4,
            ),
            "no rule for blocks.0.attention",
        ),
    ],
)
def test_a_model_that_cannot_be_cut_is_refused(config, told):
    """Heads of a core that takes rank one's for the first ones: the loss is
    wrong by a little, and nothing fails."""
    with pytest.raises(RankError, match=told):
        run(lambda group: TensorParallel(build(config), group), 2)


def test_a_plan_that_does_not_fit_is_refused():
    """A cut that no module has, or one that only linear layers know."""

    def cut(group, plan):
        TensorParallel(build(SMALL), group, plan=plan)

    for plan, told in (
        ({"tokens": Cut.VOCABULARY}, "names tokens, which the model"),
        ({"norm": Cut.ROWS}, "cuts norm by rows, but it is a RMSNorm"),
        ({"embedding": Cut.SPLIT}, "never joins them"),
    ):
        with pytest.raises(RankError, match=told):
            run(cut, 2, plan)


def test_a_missing_rule_for_a_norm_is_seen_by_its_gradient(ranks):
    """The check that these tests rest on: without its rule, a norm keeps
    one rank's share of the gradient, while the loss stays the same."""

    def check(group):
        alone, model = build(SMALL), build(SMALL)
        plan = {
            name: cut
            for name, cut in SEQUENCE_PLAN.items()
            if name != "blocks.*.*_norm"
        }
        parallel = TensorParallel(model, group, sequence=True, plan=plan)
        due, loss = whole_loss(alone, *draw()), parallel.loss(*draw())
        due.total.backward()
        loss.total.backward()
        name = "blocks.0.attention_norm.weight"
        found = parallel.shards.whole(lambda p: p.grad)[name]
        right = alone.blocks[0].attention_norm.weight.grad
        return apart(loss.total.detach(), due.total.detach()), apart(
            found, right
        )

    for loss, gradient in ranks(2)(check):
        assert loss < 1e-6
        assert gradient > 0.1


def test_the_length_must_be_above_zero():
    """Gradients turned round by a negative length."""

    def clip(group):
        TensorParallel(build(SMALL), group).shards.clip(-1.0)

    with pytest.raises(RankError, match=r"longest is -1\.0"):
        run(clip, 1)


def with_torch(group):
    """Ours against DTensor's plan on the same model."""
    config = replace(SMALL, vocab_size=60, d_ff=48)
    tokens, targets, _ = draw()
    tokens, targets = tokens % 60, targets.clamp(max=59)
    ours = TensorParallel(build(config), group)
    ours.loss(tokens, targets).total.backward()
    model = build(config)
    mesh = DeviceMesh("cpu", torch.arange(group.size()))
    layer = {
        **{
            f"attention.{n}": ColwiseParallel()
            for n in ("query", "key", "value")
        },
        "attention.output": RowwiseParallel(),
        "feedforward.gate": ColwiseParallel(),
        "feedforward.up": ColwiseParallel(),
        "feedforward.down": RowwiseParallel(),
    }
    parallelize_module(
        model,
        mesh,
        {f"blocks.{i}.{n}": s for i in range(2) for n, s in layer.items()}
        | {
            "embedding.tokens": RowwiseParallel(input_layouts=Replicate()),
            "head": ColwiseParallel(output_layouts=Replicate()),
        },
    )
    logits = model(tokens).flatten(0, 1)
    torch.nn.functional.cross_entropy(
        logits, targets.flatten(), reduction="sum"
    ).backward()
    found = ours.shards.whole(lambda p: p.grad)
    return {
        name: apart(
            found[name], getattr(p.grad, "full_tensor", lambda g=p.grad: g)()
        )
        for name, p in model.named_parameters()
    }


def test_torch_s_own_plan_gives_the_same_gradients(ranks):
    """Right against ourselves alone."""
    for off in ranks(2)(with_torch):
        assert max(off.values()) < 2e-6, off
