"""What documents cost, window by window, and in which unit."""

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch

from scratchlm.evaluation.perplexity.perplexity import (
    DocumentScores,
    check_numbers,
    context_of,
    framed,
    score_documents,
    token_nats,
)
from scratchlm.text.tokenizer import BPETokenizer

START = 0


def sliding(model, ids, most, alone):
    """Each token from the last `most` tokens before it."""
    return [
        -alone(model, ids[max(0, i - most) : i], [ids[i]])[0][0]
        for i in range(1, len(ids))
    ]


def test_stride_one_is_the_definition(small, build, draw, alone):
    """Windows that begin one token too early or too late: the loss is a
    little off, and nobody notices."""
    model, documents = build(small), draw(23, 5, 8)
    found = token_nats(
        model, documents, start_id=START, max_tokens=8, stride=1
    )
    for nats, ids in zip(found, documents, strict=True):
        due = sliding(model, [START, *ids], 8, alone)
        assert nats == pytest.approx(due, abs=1e-4)


@pytest.mark.parametrize("stride", [3, 8, None])
def test_windows_by_hand(stride, small, build, draw, alone):
    """A window that sees another window's tokens, or not those it should:
    the tokens of position 8 on begin anew, or see what the stride leaves."""
    model, (ids,) = build(small), draw(15)
    (nats,) = token_nats(
        model, [ids], start_id=START, end_id=60, max_tokens=8, stride=stride
    )
    whole = [START, *ids, 60]
    starts = {
        3: [0] * 8 + [3] * 3 + [6] * 3 + [8] * 2,
        8: [0] * 8 + [8] * 8,
        None: [0] * 8 + [8] * 8,
    }[stride]
    due = [
        -alone(model, whole[a : i + 1], [whole[i + 1]])[0][0]
        for i, a in enumerate(starts)
    ]
    assert nats == pytest.approx(due, abs=1e-4)


@pytest.mark.parametrize("name", ["LlamaConfig", "GPT2Config"])
@torch.no_grad()
def test_it_is_transformers_loss(name, tmp_path):
    """The target of another position, or a document that sees the one
    beside it in the batch."""
    import transformers

    from scratchlm.interop import hf

    transformers.logging.disable_progress_bar()
    sizes = {"vocab_size": 96, "initializer_range": 0.2} | (
        {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
        if name == "GPT2Config"
        else {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "intermediate_size": 48,
            "max_position_embeddings": 64,
        }
    )
    torch.manual_seed(0)
    config = getattr(transformers, name)(**sizes)
    theirs = transformers.AutoModelForCausalLM.from_config(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = hf.load(tmp_path, dtype=torch.float32).model.eval()
    documents = [torch.randint(1, 96, (n,)).tolist() for n in (30, 7, 63)]
    found = token_nats(ours, documents, start_id=START)
    for nats, ids in zip(found, documents, strict=True):
        tokens = torch.tensor([[START, *ids]])
        loss = theirs(tokens, labels=tokens).loss
        assert nats.mean() == pytest.approx(float(loss), rel=1e-5)


def test_a_start_token_stands_once():
    """Two of them: a text that no model has seen begin so."""
    assert framed([5, 6], 1, None) == [1, 5, 6]
    assert framed([1, 5, 6], 1, 2) == [1, 5, 6, 2]
    assert framed([], 1, 2) == [1, 2]


def test_the_document_without_a_number_is_named(small, build, draw):
    """One nan among a thousand documents makes the mean nan, and the search
    for it takes a day."""
    model = build(small)
    with torch.no_grad():
        model.embedding.tokens.weight[7] = torch.nan
    documents = [[1, 2, 3], [4, 5, 7, 5], [6, 6]]
    with pytest.raises(ValueError, match=r"document 1: .* scored token 0"):
        token_nats(model, documents, start_id=START)
    check_numbers(np.array([0.5]), "document 0")


def test_what_cannot_be_scored(small, build):
    """A silent zero for nothing, or positions that the model has no vectors
    for."""
    model = build(small)
    with pytest.raises(ValueError, match="document 1 has no token"):
        token_nats(model, [[1], []], start_id=START)
    with pytest.raises(ValueError, match=r"max_tokens is 65, .* made for 64"):
        token_nats(model, [[1]], start_id=START, max_tokens=65)
    assert context_of(model, None) == 64
    tokenizer = BPETokenizer.train(["a"], vocab_size=256)
    with pytest.raises(ValueError, match="one string"):
        score_documents(model, tokenizer, "text", start_id=START)


def test_units_by_hand():
    """A mean of means: short documents weigh as much as long ones."""
    scores = DocumentScores(
        nats=np.array([3 * log(8), log(2)]),
        n_tokens=np.array([3, 1]),
        n_bytes=np.array([8, 2]),
        n_words=np.array([2, 1]),
    )
    assert scores.bits_per_byte().value == pytest.approx(10 / 10)
    assert scores.perplexity().value == pytest.approx(2 ** (10 / 4))
    assert scores.word_perplexity().value == pytest.approx(2 ** (10 / 3))
    loss = scores.nats_per_token()
    interval = scores.perplexity()
    assert (interval.low, interval.high) == (exp(loss.low), exp(loss.high))
    assert interval.n == 2
    part = scores.of([1, 1])
    assert part.bits_per_byte().value == pytest.approx(1 / 2)
    assert part.nats.tolist() == [log(2), log(2)]


def test_bytes_and_words_are_the_text_s(small, build):
    """Characters counted for bytes, the end counted as text, or empty words
    at the ends of the text."""
    tokenizer = BPETokenizer.train(["\n"], vocab_size=256)
    model = build(replace(small, vocab_size=256))
    texts = [" né  de\n", "x"]
    scores = score_documents(model, tokenizer, texts, start_id=0, end_id=0)
    assert scores.n_bytes.tolist() == [9, 1]
    assert scores.n_words.tolist() == [2, 1]
    assert scores.n_tokens.tolist() == [10, 2]
