"""Normalisers, against those of tokenizers."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, normalizers

from scratchlm.text.subwords.preparation.rewriting import (
    Replace,
    oniguruma,
    rewrites,
)


@pytest.fixture(scope="module")
def steps(packed):
    return [
        normalizers.Precompiled(packed("nmt_nfkc")),
        normalizers.Strip(left=False, right=True),
        normalizers.Replace(Regex(" {2,}"), "\u2581"),
        normalizers.Replace(Regex(r"\A +| +\z"), ""),
        normalizers.Replace("``", '"'),
        normalizers.Prepend("\u2581"),
        normalizers.Lowercase(),
        normalizers.StripAccents(),
        normalizers.NFKD(),
    ]


texts = st.text(
    "aΣİ  \n\u3000\u200be\u0301\u0327ﬁ½`\r\u1100\u1161\u11a8ｶﾞ", max_size=9
)


def applied(document, text):
    for step in rewrites(document):
        text = step(text)
    return text


@given(texts)
def test_each_step_is_as_in_tokenizers(steps, text):
    """A mark kept behind a letter whose rule is applied."""
    for step in steps:
        document = json.loads(step.__getstate__())
        assert applied(document, text) == step.normalize_str(text)


@given(texts)
def test_steps_in_turn(steps, text):
    """The order of a sequence."""
    both = normalizers.Sequence(steps[:3])
    document = json.loads(both.__getstate__())
    assert applied(document, text) == both.normalize_str(text)


@pytest.mark.parametrize(
    "pattern", ["^a", "a$", r"\A +| +\z", "[^a]+", r"\s+$"]
)
@pytest.mark.parametrize(
    "text", ["ab\nab a\n", "  a b  ", "a\nxx a ", "a$\n \n"]
)
def test_a_pattern_finds_what_it_does_in_their_engine(pattern, text):
    """There ``^`` and ``$`` stand at every line, and here at its ends."""
    theirs = normalizers.Replace(Regex(pattern), "_").normalize_str(text)
    ours = Replace(pattern=pattern, content="_", is_regex=True)
    assert ours(text) == theirs


def test_what_is_not_known_is_refused():
    """Ids that differ without a word."""
    with pytest.raises(ValueError, match=r"normalizer .*Nmt"):
        rewrites({"type": "Nmt"})
    with pytest.raises(ValueError, match="do not read alike"):
        oniguruma("[a&&b]")
    with pytest.raises(ValueError, match="bad pattern"):
        oniguruma("(")
    assert rewrites(None) == []
    empty = base64.b64encode(b"").decode()
    assert not rewrites({"type": "Precompiled", "precompiled_charsmap": empty})
