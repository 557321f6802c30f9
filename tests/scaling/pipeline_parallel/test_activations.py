"""Memory of a step is what its schedule says."""

import torch
from torch import nn

from scratchlm.model.transformer.transformer import (
    Transformer,
    TransformerConfig,
)
from scratchlm.scaling.pipeline_parallel import (
    KeptActivations,
    Pipeline,
    gpipe,
    one_forward_one_backward,
    split_model,
    zb_h1,
)
from scratchlm.training.pretraining.micro_batches import (
    TokenBatch,
    micro_batches,
)

CONFIG = TransformerConfig(
    vocab_size=61,
    d_model=32,
    n_layers=4,
    n_heads=4,
    n_kv_heads=2,
    d_head=8,
    d_ff=48,
    max_tokens=64,
)


def test_what_is_kept_and_let_go():
    """Weights that are counted, memory that is counted for each tensor that
    looks at it, and memory that is counted after it has gone."""
    layer, x = nn.Linear(4, 4, bias=False), torch.randn(3, 4)
    with KeptActivations([x, *layer.parameters()]) as kept:
        assert kept.n_bytes() == 0
        h = torch.exp(layer(x))  # its output is kept, 3 x 4 numbers
        assert kept.n_bytes() == 48
        y = h.view(-1) * h.view(-1).detach()  # the same memory, once more
        assert kept.n_bytes() == 48
        z = torch.exp(y)
        assert kept.n_bytes() == 96
        del h
        assert kept.n_bytes() == 96  # the graph holds it
        z.sum().backward()
        del y, z
        assert kept.n_bytes() == 0


def watch(group, makes):
    """By schedule: bytes after the first forward, and the most of a step."""
    torch.manual_seed(0)
    tokens = torch.randint(61, (12, 10))
    batch, found = TokenBatch(tokens=tokens, targets=tokens), {}
    model = Transformer(CONFIG)
    given = [*model.parameters(), tokens]
    for make in makes:
        schedule = make(2, 6)
        stages = split_model(model, [group.rank()], 2)
        seen = []
        with KeptActivations(given) as kept:

            def look(action, seen=seen, kept=kept):
                seen.append(kept.n_bytes())
                return 0.0

            pipeline = Pipeline(stages, schedule, group, pace=look)
            pipeline.step(list(micro_batches(batch, 6)), tokens.numel())
            found[make.__name__] = seen[0], max(seen), kept.n_bytes()
    return found


def test_the_peak_is_a_micro_batch_times_those_in_flight(ranks):
    """A graph that outlives its backward: in flight are as many as the
    schedule says, and memory grows with each of them all the same."""
    makes = [gpipe, one_forward_one_backward, zb_h1]
    for rank, found in enumerate(ranks(2)(watch, makes)):
        each, most, left = found["gpipe"]
        assert most == 6 * each
        assert left == 0
        each, most, left = found["one_forward_one_backward"]
        assert most == (2 - rank) * each
        assert left == 0
        # Between its halves a backward needs less than before them.
        each, most, left = found["zb_h1"]
        assert each < most <= 2 * each + each // 2
        assert left == 0
