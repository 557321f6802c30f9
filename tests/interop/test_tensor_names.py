import warnings
from types import SimpleNamespace

import pytest

from scratchlm.interop.files import Problems
from scratchlm.interop.tensor_names import compare, key_heads, unwrapped

EMBEDDING, HEAD = "model.embed.weight", "head.weight"
PLAIN = {EMBEDDING: 1, "model.norm.weight": 2, HEAD: 3}


def mended(tensors):
    problems = Problems()
    names = {"prefix": "model.", "embedding": EMBEDDING, "head": HEAD}
    return unwrapped(tensors, problems, **names), problems.found


def test_names_as_they_should_be_stay():
    """A warning about a file in which nothing is wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mended(PLAIN) == (PLAIN, [])
        bare = {name.removeprefix("model."): i for name, i in PLAIN.items()}
        assert mended(bare) == (PLAIN, [])


@pytest.mark.parametrize("outer", ["module.", "a.b.", "model.", "_orig_mod."])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_what_all_names_begin_with_goes(outer, prefix):
    """A head that is inside the wrapper and outside the model, given the
    prefix of the model's names, or left with the wrapper's."""
    inner = {n.replace("model.", prefix): i for n, i in PLAIN.items()}
    wrapped = {outer + name: i for name, i in inner.items()}
    if outer + prefix == "model.":  # a head with the prefix is a wrapped one
        wrapped = {n: i for n, i in wrapped.items() if i != 3}
        assert mended(wrapped) == (
            {n: i for n, i in PLAIN.items() if i != 3},
            [],
        )
        return
    with pytest.warns(UserWarning, match="left out of names such as"):
        assert mended(wrapped) == (PLAIN, [])


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({f"x.{EMBEDDING}": 1, "y": 2}, "'x.', and y beside it do not"),
        (PLAIN | {f"module.{HEAD}": 4}, "of two models have the same names"),
        (PLAIN | {"model.q.lora_A.weight": 4}, "lora_A.weight are of LoRA"),
    ],
)
def test_names_that_cannot_be_mended_are_told(tensors, problem):
    """One of two tensors, taken by chance; an adapter that is dropped."""
    found, problems = mended(tensors)
    assert found == {}
    assert problem in problems[0]


def test_a_line_for_each_kind_of_difference():
    """A line for each tensor of a large model."""
    square = SimpleNamespace(shape=(2, 2))
    wanted = {f"{i:03}": square for i in range(100)} | {HEAD: square}
    given = {f"{i:03}": SimpleNamespace(shape=(4,)) for i in range(50, 150)}
    problems = Problems()
    compare(wanted, given, "a Llama", problems, head=HEAD)
    assert problems.found == [
        "missing: 000, 001, 002 and 48 more; if it is the embedding, set "
        "tie_word_embeddings to true",
        "not part of a Llama: 100, 101, 102 and 47 more",
        "050 has the shape (4,), not (2, 2) as the settings say; so have 49 "
        "more",
    ]
    problems = Problems()
    compare(wanted, wanted, "a Llama", problems, head=HEAD)
    assert problems.found == []


@pytest.mark.parametrize(
    ("settings", "rows", "n_heads", "told"),
    [
        ({}, 64, 8, False),  # a key head for each of eight query heads
        ({}, 32, 4, False),  # what transformers assumes
        ({}, 16, 2, True),
        ({"num_key_value_heads": None}, 16, 2, True),
        ({"num_key_value_heads": 8}, 16, 8, False),  # its shape is wrong
        ({}, 12, 8, False),
    ],
)
def test_the_rows_of_keys_tell_their_heads(settings, rows, n_heads, told):
    """A Mistral without the setting, whose class says 8 and not N; a number
    that is in the file and taken for another."""
    problems = Problems()
    assert key_heads(settings, (rows, 8), (8, 4), problems) == n_heads
    assert len(problems.found) == told
    assert not told or "write 2 into config.json" in problems.found[0]
