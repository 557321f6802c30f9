from dataclasses import replace
from functools import partial

import pytest

from scratchlm.interop.files import Problems
from scratchlm.interop.hf.layers import (
    BOUNDED,
    BOUNDED_HEAD,
    SCALED_EMBEDDING,
    from_layer_on,
    in_turn,
    window_everywhere,
    windows_by_layer,
)
from scratchlm.interop.settings import Reader, settings_of
from scratchlm.model.attention.core_attention import DotProduct, Softcapped
from scratchlm.model.attention.masks import CAUSAL, Window

QWEN = windows_by_layer(from_layer_on, missing=9, switched=True)
GEMMA = windows_by_layer(in_turn, missing=9, switched=False, core=BOUNDED)


def read(aspect, settings):
    problems = Problems()
    given = {"num_hidden_layers": 3, "hidden_size": 16} | settings
    return aspect.read(Reader(given, problems)), problems.found


def masks(parts):
    core = parts["core"]
    cores = core if isinstance(core, tuple) else (core,) * 3
    return [settings_of(core)["mask"] for core in cores]


def test_a_window_for_all_layers():
    """Null means none, and to be missing means the family's default."""
    aspect = window_everywhere(missing=9)
    assert masks(read(aspect, {})[0]) == [Window(9)] * 3
    assert masks(read(aspect, {"sliding_window": None})[0]) == [CAUSAL] * 3
    assert masks(read(aspect, {"sliding_window": 5})[0]) == [Window(5)] * 3
    switched = window_everywhere(missing=9, switched=True)
    assert masks(read(switched, {"sliding_window": 5})[0]) == [CAUSAL] * 3
    given = {"sliding_window": 5, "use_sliding_window": True}
    assert masks(read(switched, given)[0]) == [Window(5)] * 3


def test_qwen_windows_begin_at_a_layer():
    """A window that the file names and does not use."""
    given = {"sliding_window": 5, "max_window_layers": 1}
    assert masks(read(QWEN, given)[0]) == [CAUSAL] * 3
    used = given | {"use_sliding_window": True}
    assert masks(read(QWEN, used)[0]) == [CAUSAL, Window(5), Window(5)]
    told = used | {
        "layer_types": ["sliding_attention"] + ["full_attention"] * 2
    }
    assert masks(read(QWEN, told)[0]) == [Window(5), CAUSAL, CAUSAL]


def test_gemma_windows_take_turns():
    """The first layer has one, not the second."""
    assert masks(read(GEMMA, {})[0]) == [Window(9), CAUSAL, Window(9)]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"layer_types": ["full_attention"]}, "each of 3 layers"),
        ({"layer_types": ["chunked_attention"] * 3}, "chunked"),
        ({"layer_types": "full_attention"}, "each of 3 layers"),
        (
            {"layer_types": ["sliding_attention"] * 3, "sliding_window": 2},
            "one of full_attention",
        ),
        ({"max_window_layers": "all"}, "max_window_layers is 'all'"),
    ],
)
def test_layers_of_no_known_kind_are_refused(given, problem):
    """A layer that is left out, or whose window has no size."""
    assert problem in read(QWEN, given)[1][0]


@pytest.mark.parametrize("aspect", [QWEN, GEMMA, window_everywhere()])
def test_windows_come_back(aspect, small):
    """A pattern that is written for a model of another depth."""
    core = partial(DotProduct, mask=Window(5))
    config = replace(small.config, core=core, n_layers=3)
    again, problems = read(aspect, dict(aspect.write(config)))
    assert problems == []
    assert masks(again) == [Window(5)] * 3


def test_bounds_may_be_absent(small):
    """Gemma's later models have the same class and no bound."""
    given = {"attn_logit_softcapping": None, "query_pre_attn_scalar": 16}
    made = read(BOUNDED, given)[0]["core"]
    assert made.func is DotProduct
    assert made.keywords == {"scale": 0.25}
    made = read(BOUNDED, {"attn_logit_softcapping": 9.0})[0]["core"]
    assert made.func is Softcapped
    assert made.keywords == {"cap": 9.0, "scale": 1 / 16}
    assert read(BOUNDED_HEAD, {"final_logit_softcapping": None})[0] == {}
    head = read(BOUNDED_HEAD, {})[0]["head"]
    assert head.keywords == {"cap": 30.0}
    config = replace(small.config, core=made, head=head)
    assert BOUNDED_HEAD.write(config) == {"final_logit_softcapping": 30.0}
    assert BOUNDED.write(config) == {
        "attn_logit_softcapping": 9.0,
        "query_pre_attn_scalar": 256,
    }


def test_the_embedding_is_scaled_by_its_width():
    """The square root of the wrong size."""
    parts, _ = read(SCALED_EMBEDDING, {})
    assert parts["embedding"].keywords == {"scale": 4.0}
