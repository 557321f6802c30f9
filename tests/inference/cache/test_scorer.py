"""A search that reads each token once."""

import pytest
import torch

from scratchlm.inference.cache.scorer import CachedLogits


@torch.no_grad()
@pytest.mark.parametrize("name", ["rope", "alibi", "window", "latents"])
def test_rows_that_branch_and_die(name, variants, build, prompts):
    """Keys of another branch: the search goes on with a text that nobody
    wrote."""
    variant = variants[name]
    model, logits = build(variant), CachedLogits(build(variant))
    rows = torch.tensor(prompts(variant, 5, 5))
    for parents, new in [([0, 1], [1, 2]), ([1, 1, 0], [3, 4, 5]), ([2], [6])]:
        rows = torch.cat((rows[parents], torch.tensor(new)[:, None]), 1)
        torch.testing.assert_close(
            logits(rows), model(rows)[:, -1], rtol=1e-5, atol=1e-5
        )
    assert logits.cache.length == 8
    other = torch.tensor(prompts(variant, 9))
    torch.testing.assert_close(
        logits(other), model(other)[:, -1], rtol=1e-5, atol=1e-5
    )


def test_each_token_is_read_once(small, build, prompts):
    """A prefix that is looked up, not found, and read anew each time."""
    model, read = build(small), []
    model.blocks[0].register_forward_hook(
        lambda block, args, y: read.append(y.shape[1])
    )
    logits, rows = CachedLogits(model), torch.tensor(prompts(small, 5, 5))
    for _ in range(4):
        best = logits(rows).argmax(-1)
        rows = torch.cat((rows, best[:, None]), 1)
    assert read == [5, 1, 1, 1]
