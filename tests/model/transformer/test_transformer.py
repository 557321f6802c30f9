import subprocess
import sys
from dataclasses import replace
from functools import partial
from math import log

import pytest
import torch
from torch.nn import functional as F

from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import Window
from scratchlm.model.block.feedforward import MLP, SwiGLU
from scratchlm.model.published import presets
from scratchlm.model.transformer.transformer import Transformer


@pytest.mark.parametrize("d_model", [64, 256])
def test_the_first_loss_is_that_of_a_guess(d_model, draw):
    """Weights that are too large: the model starts out certain and wrong,
    and spends its first steps on unlearning that."""
    torch.manual_seed(0)
    config = presets.tiny(d_model)
    model, tokens = Transformer(config), draw(config, 129, n_rows=4)
    with torch.no_grad():
        logits = model(tokens[:, :-1]).flatten(0, 1)
    loss = F.cross_entropy(logits, tokens[:, 1:].flatten())
    assert loss == pytest.approx(log(config.vocab_size), rel=0.02)


def test_each_parameter_gets_a_gradient(variant, build, draw):
    """A part that was built and never called."""
    model, tokens = build(variant), draw(variant, 9)
    F.cross_entropy(model(tokens).mT, tokens).backward()
    idle = [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.any()
    ]
    assert idle == []


def test_a_tuple_of_parts_takes_turns(small):
    """A tuple that is split in halves instead, or starts at its end."""
    windowed = partial(DotProduct, mask=Window(5))
    cores = windowed, DotProduct, partial(Softcapped, cap=2.0)
    config = replace(small, n_layers=5, core=cores, feedforward=(MLP, SwiGLU))
    blocks = Transformer(config).blocks
    assert [type(b.feedforward) for b in blocks] == [
        *(MLP, SwiGLU, MLP, SwiGLU, MLP)
    ]
    assert [type(b.attention.core) for b in blocks] == [
        *(DotProduct, DotProduct, Softcapped, DotProduct, DotProduct)
    ]
    masks = [blocks[i].attention.core.mask for i in (0, 3)]
    assert masks == [Window(5), Window(5)]


def test_tied_weights_are_one_parameter(small):
    """A head that starts as a copy of the embedding and drifts away."""
    model = Transformer(replace(small, tied=True))
    assert model.head.weight is model.embedding.tokens.weight
    names = [name for name, _ in model.named_parameters()]
    assert "head.weight" not in names


@pytest.mark.parametrize(
    "field",
    [
        *("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads"),
        *("d_head", "d_ff", "max_tokens", "d_rotary"),
    ],
)
def test_a_size_below_one_is_named(small, field):
    """A model with no layers, built without a word."""
    with pytest.raises(ValueError, match=f"{field} is 0"):
        replace(small, **{field: 0})


def test_heads_that_do_not_share_evenly_are_named(small):
    """A reshape that fails somewhere inside attention."""
    with pytest.raises(ValueError, match=r"n_kv_heads is 3.*n_heads, 4"):
        replace(small, n_kv_heads=3)


def test_a_text_too_long_for_its_positions_is_told(
    variants, small, build, draw
):
    """An index error from inside the embedding, or on a GPU none."""
    model = build(variants["learned positions"])
    with pytest.raises(ValueError, match=r"65 positions.* 64"):
        model(draw(small, 65))


def test_the_cache_counts_towards_the_length(
    variants, small, grow_cache, build, draw
):
    """A check of the chunk alone passes until the positions run out."""
    model, cache = build(variants["learned positions"]), grow_cache(2)
    model(draw(small, 60), cache=cache)
    with pytest.raises(ValueError, match="65 positions"):
        model(draw(small, 5), cache=cache)


def test_rope_has_no_last_position(small, build, draw):
    """A limit taken from what the model was trained for."""
    with torch.no_grad():
        assert build(small)(draw(small, 80)).isfinite().all()


@pytest.mark.parametrize("bad", [61, -1])
def test_a_token_outside_the_vocabulary_is_named(small, bad, build, draw):
    """Another model's tokenizer, reported as "index out of range"."""
    tokens = draw(small, 4)
    tokens[1, 2] = bad
    with pytest.raises(ValueError, match=rf"{bad}.*vocabulary has 61"):
        build(small)(tokens)


COMPILE = """
import torch
from dataclasses import replace
from functools import partial
from scratchlm.model.published import presets, with_definitions
from scratchlm.model.attention import DotProduct, Softcapped, Window
from scratchlm.model.transformer import Transformer

small = replace(
    presets.tiny(64), vocab_size=61, max_tokens=64, n_layers=1
)
parts = {"n_layers", "d_model", "n_heads", "n_kv_heads", "d_head", "d_ff"}
sizes = {name: getattr(small, name) for name in parts}
windows = partial(DotProduct, mask=Window(5)), DotProduct
for config in [
    small,
    replace(small, core=windows, n_layers=2),
    with_definitions(replace(small, core=partial(Softcapped, cap=2.0))),
    replace(presets.gpt2(), vocab_size=61, **sizes),
]:
    model, tokens = Transformer(config), torch.randint(61, (2, 12))
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(tokens), model(tokens))
"""


# A new process, in which PyTorch and its compiler are imported once more.
@pytest.mark.untraced
def test_compiles_into_one_graph():
    """A step of Python inside the model that the compiler cannot follow:
    it compiles pieces, and the speed is gone without an error. In a process
    of its own, as the compiler cannot follow the tests' shape checks."""
    subprocess.run([sys.executable, "-c", COMPILE], check=True)


def test_the_meta_device_holds_shapes_only(small):
    """A part that allocates on the CPU whatever it is told: 405 billion
    parameters could then not be counted on a laptop."""
    with torch.device("meta"):
        model = Transformer(small)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    tokens = torch.empty(2, 7, dtype=torch.int64, device="meta")
    assert model.to("meta")(tokens).shape == (2, 7, 61)


def test_stays_in_bfloat16(variant, build, draw):
    """One float32 constant widens the stream, and memory doubles."""
    model = build(variant).to(torch.bfloat16)
    wide, tokens = build(variant), draw(variant, 9)
    with torch.no_grad():
        narrow = model(tokens)
        assert narrow.dtype == torch.bfloat16
        error = (narrow.float() - wide(tokens)).square().mean().sqrt()
    assert error < 0.1 * wide(tokens).std()
