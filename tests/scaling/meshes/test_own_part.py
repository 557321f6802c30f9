"""What one rank keeps of a model, and reads of a batch."""

import torch

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.meshes.own_part import (
    forget_rest,
    hashes,
    joined,
    whole_rows,
)
from scratchlm.scaling.pipeline_parallel.stages import split_model
from scratchlm.training.pretraining.micro_batches import TokenBatch

TINY = TransformerConfig(
    vocab_size=11,
    d_model=8,
    n_layers=4,
    n_heads=2,
    n_kv_heads=1,
    d_head=4,
    d_ff=8,
    max_tokens=8,
)


def test_the_stages_of_a_rank_keep_the_names_of_the_model():
    """Groups of an optimizer, or a checkpoint, of layers with new numbers."""
    model = Transformer(TINY)
    own = joined(split_model(model, [0, 3], 4))
    names = dict(own.named_parameters())
    assert {n.split(".")[0] for n in names} == {
        *("embedding", "blocks", "norm", "head")
    }
    assert {n.split(".")[1] for n in names if n[0] == "b"} == {"0", "3"}
    assert all(names[n] is dict(model.named_parameters())[n] for n in names)


def test_the_rest_of_the_model_is_let_go_of():
    """Each rank holds all layers, and pipelining saves no memory."""
    model = Transformer(TINY)
    own = joined(split_model(model, [1], 4))
    before = {n: p.clone() for n, p in own.named_parameters()}
    forget_rest(model, own)
    left = sum(p.numel() for p in model.parameters())
    assert left == sum(p.numel() for p in before.values())
    assert all(torch.equal(p, before[n]) for n, p in own.named_parameters())


def test_positions_are_those_of_documents():
    """A document that begins in the middle of a row, at a late position."""
    tokens = torch.zeros(2, 5, dtype=torch.int64)
    documents = torch.tensor([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]])
    share = whole_rows(TokenBatch(tokens, tokens, documents))
    assert share.positions.tolist() == [[0, 1, 0, 1, 2], [0, 1, 2, 3, 4]]
    plain = whole_rows(TokenBatch(tokens, tokens))
    assert plain.documents is None
    assert plain.positions.tolist() == [[0, 1, 2, 3, 4]] * 2
    given = whole_rows(TokenBatch(tokens, tokens, None, tokens + 3))
    assert given.positions.tolist() == [[3] * 5] * 2


def test_another_batch_has_another_hash():
    """Ranks that read other rows would train a model that none of them
    sees."""
    tokens = torch.arange(24).view(4, 6) % 10
    batch = TokenBatch(tokens=tokens, targets=tokens)
    assert hashes(batch) == hashes(TokenBatch(tokens, tokens.clone()))
    assert hashes(batch) != hashes(TokenBatch(tokens[:2], tokens[:2]))
    changed = TokenBatch(tokens, tokens.clone())
    changed.targets[0, 0] = -100
    assert hashes(changed)["targets"] != hashes(batch)["targets"]
    assert "documents" not in hashes(batch)
