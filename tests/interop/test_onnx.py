from dataclasses import replace

import jaxtyping
import numpy as np
import pytest
import torch
from torch import nn

from scratchlm.interop import hf, onnx
from scratchlm.model.transformer.transformer import Transformer

# One of everything, and of positions as many as there are.
SHAPES = ((2, 24), (1, 1), (3, 2), (1, 64))


@pytest.fixture(autouse=True)
def _unchecked():
    """While a graph is recorded sizes are symbols, and no ints."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


# PyTorch takes seconds to record a graph, and twice as long under coverage.
@pytest.fixture
def run():
    """A function from a file and tokens to what ONNX Runtime computes."""
    import onnxruntime

    def compute(path, tokens):
        session = onnxruntime.InferenceSession(path)
        (logits,) = session.run(None, {"tokens": tokens.numpy()})
        return logits

    return compute


@pytest.mark.untraced
@torch.no_grad()
@pytest.mark.parametrize("name", ["gpt2", "mistral"])
def test_the_graph_gives_our_logits(name, publish, run, tmp_path, capfd):
    """A mask recorded at one length, or a batch of one; positions that begin
    at another place; a progress report in the reader's notebook."""
    model = hf.load(publish(name)).model
    state = {n: w.clone() for n, w in model.state_dict().items()}
    path = tmp_path / "new" / "model.onnx"
    onnx.export(model, path)
    assert capfd.readouterr() == ("", "")
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]
    for shape in SHAPES:
        tokens = torch.randint(96, shape)
        np.testing.assert_allclose(
            run(path, tokens), model(tokens).numpy(), rtol=0, atol=1e-4
        )
    again = model.state_dict()
    assert all(torch.equal(again[n], w) for n, w in state.items())


@torch.no_grad()
def test_a_head_that_is_turned_in_part_has_a_form(small, run, tmp_path):
    """All axes turned in the graph, and some in the model; or a table that
    serves at both ends and is left out at one."""
    config = replace(small.config, d_rotary=4, n_layers=1, tied=True)
    model = Transformer(config).eval()
    onnx.export(model, tmp_path / "model.onnx")
    tokens = torch.randint(96, (2, 24))
    logits = run(tmp_path / "model.onnx", tokens)
    expected = model(tokens).numpy()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


class Undecided(nn.Module):
    """A layer that looks at its numbers before it knows what to do."""

    def __init__(self, d_model, d_ff):
        super().__init__()

    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_a_part_without_a_form_is_told(small, tmp_path):
    """A traceback of PyTorch's exporter, and half a file."""
    model = Transformer(replace(small.config, feedforward=Undecided))
    path = tmp_path / "model.onnx"
    path.write_text("old")
    with pytest.raises(ValueError, match="no form in ONNX"):
        onnx.export(model, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
