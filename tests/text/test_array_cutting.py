from hypothesis import given, settings
from hypothesis import strategies as st

from scratchlm.text.array_cutting import cut_gpt2
from scratchlm.text.corpora import python_docs
from scratchlm.text.pretokenize import PATTERNS

# What the rules look at: space of all kinds, apostrophes and what follows
# them, and characters of one to four bytes. U+001C is space to Python alone.
TRICKY = st.text(st.sampled_from("ab1 '.\"sdtlmrev\n\r\t\x1c\x85é日🙂\u3000ſ"))


def starts(text):
    """The same from the regular expression, piece by piece."""
    at = [0]
    for piece in PATTERNS["gpt2"].pieces(text):
        at.append(at[-1] + len(piece.encode()))
    return at


@given(TRICKY)
@settings(max_examples=1000)
def test_cuts_where_the_pattern_does(text):
    """A rule forgotten: the last space of a run, a contraction, the end."""
    assert cut_gpt2(text).tolist() == starts(text)


@given(st.text())
def test_cuts_any_text_where_the_pattern_does(text):
    """A letter of one engine that is a sign to the other."""
    assert cut_gpt2(text).tolist() == starts(text)


def test_cuts_real_text_where_the_pattern_does():
    """What nobody thought of, in half a megabyte of prose."""
    text = "\n".join(python_docs())
    assert cut_gpt2(text).tolist() == starts(text)
