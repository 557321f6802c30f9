"""Every parameter in one optimizer, and in the right one."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from scratchlm.model.published import gpt2, mixtral, olmo2, tiny
from scratchlm.model.transformer import Transformer
from scratchlm.training.optimizers import (
    SGD,
    AdamW,
    Muon,
    Several,
    adamw,
    kinds_of,
    muon_and_adamw,
)

SMALL = tiny(64, vocab_size=96)
SIZES = {
    "vocab_size": 96,
    "d_model": 32,
    "n_layers": 2,
    "n_heads": 2,
    "n_kv_heads": 2,
    "d_head": 16,
    "d_ff": 48,
    "max_tokens": 20,
}
GPT2, OLMO, MIXTRAL = (
    replace(family(), **SIZES) for family in (gpt2, olmo2, mixtral)
)


def models():
    untied = replace(SMALL, tied=False)
    configs = SMALL, untied, GPT2, OLMO, MIXTRAL
    return [Transformer(config) for config in configs]


NAMES = ["tied", "untied", "gpt2", "olmo2", "mixtral"]


@pytest.mark.parametrize("model", models(), ids=NAMES)
def test_each_parameter_is_in_one_kind(model):
    """A weight in no group never learns, and nothing says so."""
    kinds = kinds_of(model)
    found = [p for kind in kinds for p in kind]
    assert len({id(p) for p in found}) == len(found)
    assert {id(p) for p in found} == {id(p) for p in model.parameters()}
    norms = {id(p) for n, p in model.named_parameters() if "norm" in n}
    assert norms <= {id(p) for p in kinds.vectors}
    assert all(p.ndim == 1 or id(p) in norms for p in kinds.vectors)
    table = model.embedding.tokens.weight
    assert any(p is table for p in kinds.tables)
    assert any(p is model.head.weight for p in kinds.tables)


@pytest.mark.parametrize("config", [SMALL, GPT2, OLMO])
def test_no_vector_decays(config):
    """Gains of norms are pulled from 1 to 0: those of OLMo 2's heads too,
    which have two axes and look like matrices."""
    model = Transformer(config)
    groups = adamw(model, lr=1e-3).param_groups
    decays = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    for name, p in model.named_parameters():
        vector = p.ndim == 1 or "norm" in name
        assert decays[id(p)] == (0.0 if vector else 0.1)


def test_experts_take_a_step():
    """A stack of matrices that no optimizer of several takes."""
    model = Transformer(MIXTRAL)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    both = muon_and_adamw(model, lr=0.02)
    model(torch.arange(16).view(2, 8)).square().mean().backward()
    both.step()
    moved = {
        name
        for name, p in model.named_parameters()
        if not torch.equal(p, before[name])
    }
    assert {n for n in before if "feedforward" in n} <= moved


def test_matrices_go_to_muon_and_tables_do_not():
    """Muon on an embedding: a token that did not occur moves as far as one
    that did."""
    model = Transformer(SMALL)
    both = muon_and_adamw(model, lr=0.02)
    muon, rest = both.optimizers
    assert isinstance(muon, Muon)
    assert isinstance(rest, AdamW)
    moved = {id(p) for g in muon.param_groups for p in g["params"]}
    assert moved == {id(p) for p in model.blocks.parameters() if p.ndim == 2}


def test_a_schedule_reaches_all_of_several():
    """Groups that were copied keep the old rate."""
    model = Transformer(SMALL)
    both = muon_and_adamw(model, lr=0.02)
    for group in both.param_groups:
        group["lr"] = 0.0
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.zeros(1, 4, dtype=torch.long)).square().sum().backward()
    both.step()
    after = list(model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    both.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_several_resume():
    """The states of two optimizers change places, or their groups stop being
    reached after a load."""

    def steps(model, optimizer, n):
        for k in range(n):
            optimizer.zero_grad()
            tokens = torch.arange(4)[None] + k
            model(tokens).square().mean().backward()
            optimizer.step()

    torch.manual_seed(0)
    whole = Transformer(SMALL)
    torch.manual_seed(0)
    cut = Transformer(SMALL)
    first = muon_and_adamw(whole)
    steps(whole, first, 2)
    steps(whole, first, 2)
    before = muon_and_adamw(cut)
    steps(cut, before, 2)
    after = muon_and_adamw(cut)
    after.load_state_dict(before.state_dict())
    assert after.param_groups[0] is after.optimizers[0].param_groups[0]
    steps(cut, after, 2)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_closure_moves_all():
    """A closure that is called once for each of the several."""
    a, b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    calls = []

    def closure():
        calls.append(1)
        (a.square() + b.square()).sum().backward()
        return 2.0

    assert Several([SGD([a], 0.1), SGD([b], 0.1)]).step(closure) == 2.0
    assert calls == [1]
    assert a.item() == b.item() == pytest.approx(0.8)


def test_refusals():
    """A parameter that moves twice, a state of something else, and a model
    that has no blocks."""
    a = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="move twice"):
        Several([SGD([a], 0.1), SGD([a], 0.1)])
    both = Several([SGD([a], 0.1)])
    with pytest.raises(ValueError, match="of 0 optimizers"):
        both.load_state_dict({"optimizers": []})
    with pytest.raises(ValueError, match="Linear has no blocks"):
        kinds_of(nn.Linear(2, 2))
