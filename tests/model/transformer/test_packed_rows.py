"""A row of several documents is to each of them as if it were alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.model.published.kernel_parts import (
    with_definitions,
    with_kernels,
)
from scratchlm.model.transformer.loss import cross_entropy
from scratchlm.text.shards.rows import IGNORED, Batch

# Shorter and longer than the window and the tiles of the variants; the
# second row ends in padding.
LENGTHS = [[1, 9, 4, 5], [3, 1, 2, 10]]
N_TOKENS = 19


def lay(config, lengths, n_tokens):
    """A batch of rows that hold documents of these lengths."""
    generator = torch.Generator().manual_seed(0)
    shape = len(lengths), n_tokens
    tokens = torch.randint(config.vocab_size, shape, generator=generator)
    targets = torch.randint(config.vocab_size, shape, generator=generator)
    documents = torch.full(shape, -1)
    positions = torch.zeros(shape, dtype=torch.int64)
    for row, parts in enumerate(lengths):
        ends = np.cumsum(parts)
        for number, (n, end) in enumerate(zip(parts, ends, strict=True)):
            documents[row, end - n : end] = number
            positions[row, end - n : end] = torch.arange(n)
    targets[documents < 0] = IGNORED
    return Batch(tokens, targets, documents, positions)


def alone(batch, lengths):
    """Each document of a batch as a row of its own, with its targets."""
    for row, parts in enumerate(lengths):
        for n, end in zip(parts, np.cumsum(parts), strict=True):
            part = row, slice(end - n, end)
            yield batch.tokens[part][None], batch.targets[part][None]


def logits_of(model, batch):
    return model(
        batch.tokens, documents=batch.documents, positions=batch.positions
    )


def gradients(model):
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    return found


@pytest.mark.parametrize("form", [with_kernels, with_definitions])
def test_packed_documents_are_as_if_alone(variant, form, build):
    """A document that reads its neighbour, counts its positions on from
    there, or weighs in the gradient by the length of its row."""
    model = build(form(variant))
    batch = lay(variant, LENGTHS, N_TOKENS)
    packed = logits_of(model, batch)
    cross_entropy(packed, batch.targets).backward()
    together = gradients(model)
    rows, real = list(alone(batch, LENGTHS)), batch.documents >= 0
    single = [model(tokens) for tokens, _ in rows]
    assert packed.isfinite().all()
    torch.testing.assert_close(
        packed[real], torch.cat(single, 1)[0], rtol=1e-5, atol=1e-5
    )
    n_targets = int(real.sum())
    for logits, (_, targets) in zip(single, rows, strict=True):
        share = targets.numel() / n_targets
        (cross_entropy(logits, targets) * share).backward()
    for a, b in zip(together, gradients(model), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@settings(max_examples=8)
@given(
    lengths=st.lists(
        st.lists(st.integers(1, 9), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
    spare=st.integers(0, 3),
)
def test_any_lengths(variant, lengths, spare, build):
    """A tile skipped that holds something to see, at an edge that the
    lengths of another test do not have."""
    n_tokens = max(map(sum, lengths)) + spare
    model, batch = build(variant), lay(variant, lengths, n_tokens)
    with torch.no_grad():
        packed = logits_of(model, batch)
        single = [model(tokens) for tokens, _ in alone(batch, lengths)]
    assert packed.isfinite().all()
    torch.testing.assert_close(
        packed[batch.documents >= 0],
        torch.cat(single, 1)[0],
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_document_changes_nothing_in_another(variant, build):
    """A mask whose weights are small where they should be nought."""
    model, batch = build(variant), lay(variant, LENGTHS, N_TOKENS)
    other = batch.tokens.clone()
    at = 4  # in the second document of the first row
    other[0, at] = (other[0, at] + 1) % variant.vocab_size
    with torch.no_grad():
        before = logits_of(model, batch)
        after = logits_of(model, batch._replace(tokens=other))
    changed = (before != after).any(-1)
    expected = torch.zeros_like(changed)
    expected[0, at:10] = True
    assert not (changed & ~expected).any()
    assert changed[0, at]


def test_a_row_of_one_document_needs_no_mask(variant, build, draw):
    """A mask for each row where none hides anything: right, and slower."""
    model, tokens = build(variant), draw(variant, N_TOKENS)
    documents = torch.tensor([[0], [3]]).expand(2, N_TOKENS)
    positions = torch.arange(N_TOKENS).expand(2, -1)
    with torch.no_grad():
        plain = model(tokens)
        assert torch.equal(model(tokens, documents=documents), plain)
        given = model(tokens, documents=documents, positions=positions)
    torch.testing.assert_close(given, plain, rtol=1e-6, atol=1e-6)


def test_positions_follow_from_the_documents(variant, build):
    """Positions that count on through a row unless they are given."""
    model, batch = build(variant), lay(variant, LENGTHS, N_TOKENS)
    with torch.no_grad():
        given = logits_of(model, batch)
        derived = model(batch.tokens, documents=batch.documents)
    assert torch.equal(given, derived)


def test_a_cache_holds_several_documents(variant, build, grow_cache):
    """Documents of the new tokens taken for those of the first keys."""
    model, batch = build(variant), lay(variant, LENGTHS, N_TOKENS)
    cache, pieces = grow_cache(variant.n_layers), []
    with torch.no_grad():
        whole = logits_of(model, batch)
        for start, stop in [(0, 7), (7, 8), (8, N_TOKENS)]:
            pieces.append(
                model(
                    batch.tokens[:, start:stop],
                    cache=cache,
                    documents=batch.documents[:, :stop],
                )
            )
    torch.testing.assert_close(
        torch.cat(pieces, 1), whole, rtol=1e-4, atol=1e-5
    )


def test_rows_padded_at_the_left(variant, build, draw):
    """Texts of several lengths that end at one place, to be continued
    together: padding that is seen, or that counts as a position."""
    model, tokens = build(variant), draw(variant, 9)
    documents = torch.tensor([[0] * 9, [-1] * 4 + [0] * 5])
    with torch.no_grad():
        packed = model(tokens, documents=documents)
        short = model(tokens[1:, 4:])
    torch.testing.assert_close(packed[1:, 4:], short, rtol=1e-5, atol=1e-5)


def test_short_documents_in_a_row_longer_than_the_positions(
    variants, build, draw
):
    """A row of 80 refused by a table of 64, though no document is longer."""
    model = build(variants["learned positions"])
    tokens = draw(variants["learned positions"], 80)
    documents = torch.arange(80).expand(2, -1) // 40
    with torch.no_grad():
        packed = model(tokens, documents=documents)
        torch.testing.assert_close(packed[:, 40:], model(tokens[:, 40:]))


def test_a_position_outside_the_table_is_named(variants, build, draw):
    """The token blamed for an index that is the position's."""
    model = build(variants["learned positions"])
    tokens = draw(variants["learned positions"], 70)
    documents = torch.tensor([[0] * 70, [0] * 69 + [1]])
    message = r"positions from 0 to 69.* 64.*shorten the documents"
    with pytest.raises(ValueError, match=message):
        model(tokens, documents=documents)
    with pytest.raises(ValueError, match="positions from -1"):
        model(tokens, positions=torch.arange(-1, 69).expand(2, -1))


@pytest.mark.parametrize("name", ["documents", "positions"])
@pytest.mark.parametrize("shape", [(2, 8), (1, 9), (2, 10)])
@pytest.mark.usefixtures("unchecked")
def test_shapes_that_do_not_match_are_named(small, name, shape, build, draw):
    """Documents of one row stretched over all, or an error from deep
    inside."""
    numbers = torch.zeros(shape, dtype=torch.int64)
    numbers[:, 0] = -1
    message = rf"{name} have shape \({shape[0]}, {shape[1]}\).*\(2, 9\)"
    with pytest.raises(ValueError, match=message):
        build(small)(draw(small, 9), **{name: numbers})


def test_a_document_in_two_parts_is_refused(small, build, draw):
    """Numbers that come back: each part would be a document, in silence."""
    documents = torch.tensor([[0, 1, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="lay each document in one piece"):
        build(small)(draw(small, 3), documents=documents)
