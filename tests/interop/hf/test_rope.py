from dataclasses import replace
from functools import partial

import pytest

from scratchlm.interop.files import Problems
from scratchlm.interop.hf.rope import rope
from scratchlm.interop.settings import Reader, settings_of
from scratchlm.model.positions.context_extension import (
    Llama3Scaling,
    NTKAware,
    PositionInterpolation,
    YaRN,
)
from scratchlm.model.positions.rotary import Rotary

LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
SCALINGS = {
    "default": (None, {}),
    "linear": (PositionInterpolation(4.0), {"factor": 4.0}),
    "llama3": (
        Llama3Scaling(8.0, low_factor=1.0, high_factor=4.0, original=16),
        LLAMA3,
    ),
    "yarn": (
        YaRN(4.0, original=64, attention_factor=1.5),
        {"factor": 4, "attention_factor": 1.5},
    ),
}


def read(settings):
    problems = Problems()
    given = {"max_position_embeddings": 64} | settings
    parts = rope(theta=77.0).read(Reader(given, problems))
    made = settings_of(parts["rotary"])
    return made["theta"], made["scaling"], problems.found


@pytest.mark.parametrize("kind", SCALINGS)
def test_both_ways_to_say_it_mean_the_same(kind):
    """A file of the other version of transformers, whose scaling is ignored:
    the model works until its text grows long."""
    scaling, given = SCALINGS[kind]
    table = {"rope_type": kind, **given}
    expected = (500.0, scaling, [])
    newer = {"rope_parameters": table | {"rope_theta": 500}}
    assert read(newer) == expected
    assert read({"rope_theta": 500.0, "rope_scaling": table}) == expected
    oldest = {"type": kind, **given}
    assert read({"rope_theta": 500.0, "rope_scaling": oldest}) == expected


def test_no_word_of_it_is_the_family_default():
    """10,000 for a family that was trained with a million."""
    assert read({"rope_scaling": None}) == (77.0, None, [])


@pytest.mark.parametrize("kind", SCALINGS)
def test_what_is_written_reads_the_same(kind, small):
    """A number that is read and not written."""
    scaling, _ = SCALINGS[kind]
    rotary = partial(Rotary, theta=5.0, scaling=scaling)
    written = rope().write(replace(small.config, rotary=rotary))
    assert read(dict(written)) == (5.0, scaling, [])


def test_a_scaling_that_nobody_publishes_is_not_written(small):
    """Written as none, it would be forgotten without a word; what is read
    back differs, and that is noticed."""
    rotary = partial(Rotary, scaling=NTKAware(2.0))
    written = rope().write(replace(small.config, rotary=rotary))
    assert read(dict(written))[1] is None


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"rope_type": "longrope", "factor": 2.0}, "longrope"),
        ({"full_attention": {"rope_theta": 9}}, "RoPE has full_attention"),
        ({"factor": 8.0}, "RoPE has factor and no rope_type"),
        ({"type": None, "factor": 8.0}, "RoPE has factor and no rope_type"),
        ({"rope_type": "linear"}, "factor is missing"),
        ({"rope_type": "linear", "factor": 0.5}, "factor is 0.5"),
        ({"rope_type": "llama3", **LLAMA3, "low_freq_factor": 9}, "low_f"),
        ({"rope_type": "linear", "factor": 2, "mscale": 3}, "mscale is 3"),
        ({"rope_type": "linear", "factor": 2, "short": 3}, "RoPE has short"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
    ],
)
def test_angles_that_no_part_turns_by_are_refused(table, problem):
    """A number that is dropped, and a model that is wrong past its first
    thousand tokens."""
    assert problem in "\n".join(read({"rope_parameters": table})[2])


@pytest.mark.parametrize(
    ("table", "scaling"),
    [
        ({"rope_type": "default", "factor": 8.0}, None),
        ({"type": "default", "factor": 8.0}, None),
        ({"rope_type": "default", "type": "linear", "factor": 4.0}, None),
        (
            {"rope_type": "linear", "type": "default", "factor": 4.0},
            PositionInterpolation(4.0),
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_told(table, scaling):
    """A scaling that its writer meant and nobody does, or the reverse, while
    the message says that default is known here; transformers takes
    rope_type, and passes over what that does not use."""
    with pytest.warns(UserWarning, match="RoPE has"):
        assert read({"rope_scaling": table}) == (77.0, scaling, [])


def test_the_older_table_counts_where_there_are_two():
    """Numbers of both in one: a linear scaling of the type default."""
    both = {
        "rope_parameters": {"rope_type": "default", "rope_theta": 9.0},
        "rope_scaling": {"type": "linear", "factor": 4.0},
    }
    assert read(both) == (77.0, PositionInterpolation(4.0), [])
    assert read(both | {"rope_scaling": {}}) == (9.0, None, [])
    assert read(both | {"rope_scaling": {"rope_type": "default"}}) == (
        77.0,
        None,
        [],
    )


def test_the_length_of_training_may_stand_outside():
    """YaRN's angles for a training length that is the longest text."""
    outside = {"original_max_position_embeddings": 32}
    table = {"rope_type": "yarn", "factor": 2.0}
    given = {"rope_scaling": table} | outside
    assert read(given)[1] == YaRN(2.0, original=32)
