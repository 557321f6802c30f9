"""The pipeline: order, laziness, and a funnel that adds up."""

from dataclasses import replace
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.cleaning.messy_web import messy_pages
from scratchlm.text.cleaning.pipeline import (
    DEFAULT_STEPS,
    PAGE_STEPS,
    Funnel,
    clean,
)
from scratchlm.text.cleaning.private_data import MASKING
from scratchlm.text.cleaning.steps import Edit, Rejection, Rule

SHORT = Rule(name="short", measure=len, high=4)
LETTERS = Rule(name="no digit", measure=lambda t: sum(map(str.isdigit, t)),
               high=0)  # fmt: skip
LOWER = Edit(name="lower", change=str.lower)
TRIM = Edit(name="trim", change=str.strip)


def test_each_text_gives_one_outcome_in_order():
    """Rejects that vanish, so that nobody can look at them."""
    done = list(clean([" Ab ", "too long", "x1"], [TRIM, SHORT, LETTERS]))
    assert [each.index for each in done] == [0, 1, 2]
    assert [each.kept for each in done] == [True, False, False]
    assert [each.rejected_by for each in done] == [None, "short", "no digit"]
    assert done[0].text == "Ab"
    assert done[0].reason == ""
    assert "at most 4" in done[1].reason


def test_a_reject_shows_the_text_that_was_judged():
    """A reject in its first form, on which the rule would have passed."""
    (done,) = clean(["  LONG TEXT  "], [TRIM, LOWER, SHORT])
    assert done.text == "long text"


@given(st.lists(st.text("aÉ1 ", max_size=8)))
def test_the_funnel_adds_up(texts):
    """Bytes counted as characters, or a reject counted on both sides."""
    steps = [TRIM, LOWER, SHORT, LETTERS]
    funnel = Funnel()
    done = list(clean(texts, steps, funnel=funnel))
    rows = funnel.rows()
    assert [name for name, _, _ in rows] == [
        *("input", "trim", "lower", "short", "no digit")
    ]
    for place, (name, documents, n_bytes) in enumerate(rows):
        alive = list(texts)
        for step in steps[:place]:
            results = [step(text) for text in alive]
            alive = [r for r in results if not isinstance(r, Rejection)]
        assert documents == len(alive), name
        assert n_bytes == sum(len(text.encode()) for text in alive), name
    assert rows[-1][1] == sum(each.kept for each in done)


def test_texts_are_taken_one_at_a_time():
    """A corpus read into memory before the first page is clean."""
    funnel = Funnel(examples=2)
    stream = clean((f"text {i}" for i in count()), [SHORT], funnel=funnel)
    assert [each.index for each in islice(stream, 100)] == list(range(100))
    assert funnel.documents == [100, 0]
    assert [each.index for each in funnel.rejects["short"]] == [98, 99]


def test_a_funnel_counts_on_over_several_files():
    """Counts that start anew with each file, and are read as the total."""
    funnel = Funnel()
    for part in (["a", "bbbbb"], ["c"]):
        list(clean(part, [SHORT], funnel=funnel))
    assert funnel.rows() == [("input", 3, 7), ("short", 2, 2)]


def test_a_funnel_of_other_steps_is_refused():
    """Documents of two pipelines added up."""
    funnel = Funnel()
    clean([], [SHORT], funnel=funnel)
    with pytest.raises(ValueError, match=r"\['short'\], not \['lower'\].*own"):
        clean([], [LOWER], funnel=funnel)


def test_bad_input_is_named_before_any_work():
    """A text cleaned letter by letter; two steps with one line in a table."""
    with pytest.raises(ValueError, match="one string"):
        clean("text", [SHORT])
    with pytest.raises(ValueError, match=r"\['short'\].*rename"):
        clean([], [SHORT, LOWER, SHORT])
    with pytest.raises(ValueError, match=r"input.*rename"):
        clean([], [Rule(name="input", measure=len)])
    with pytest.raises(ValueError, match="examples is -1; give 0"):
        Funnel(examples=-1)


def test_no_steps_keep_everything():
    """An empty pipeline that ends before its first text."""
    assert [done.text for done in clean(["a", ""], [])] == ["a", ""]


@pytest.mark.parametrize("steps", [DEFAULT_STEPS, PAGE_STEPS])
def test_the_ready_made_pipelines_run(steps):
    """Two steps of one name among those that every user gets."""
    assert list(clean([], steps)) == []


def test_hostile_text_passes_or_is_rejected_but_never_raises():
    """One broken page that ends a run of a million."""
    texts = ["", "\n", "\0", "\ud800", "a" * 10_000, "🙂" * 99, "\n" * 999]
    done = list(clean(texts))
    assert len(done) == len(texts)
    assert not any(each.kept for each in done)


def test_pages_are_told_apart_as_their_maker_meant_them():
    """A rule that rejects good pages, or one that has stopped to work. The
    kinds that pass need what is not among the default steps: the language,
    the frame of the site, the classifier."""
    pages = list(messy_pages(120, seed=5))
    done = list(clean((page.html for page in pages), PAGE_STEPS))
    passing = {"keyword spam", "near-empty", "foreign"}
    for page, outcome in zip(pages, done, strict=True):
        if page.good:
            assert outcome.kept, (page.kind, outcome.reason)
        elif page.kind not in passing:
            assert not outcome.kept, page.kind


def test_mojibake_is_repaired_before_the_page_is_parsed():
    """A parser of HTML drops control characters. Where one of them stands
    for a byte of a letter, nothing can be repaired afterwards."""
    pages = [p for p in messy_pages(200) if p.kind == "mojibake"]
    late = PAGE_STEPS[1:]
    left = {"early": 0, "late": 0}
    for name, steps in (("early", PAGE_STEPS), ("late", late)):
        for done in clean((page.html for page in pages), steps):
            left[name] += "â€" in done.text
    assert left["early"] == 0
    assert left["late"] > 0


def test_what_a_step_counts_reaches_the_funnel():
    """Masks of a text that was then rejected, or of one text alone."""
    texts = ["mail a@b.example", "mail c@d.example and e@f.example", "no"]
    short = Rule(name="short", measure=len, high=30)
    funnel = Funnel()
    done = list(clean(texts, [MASKING, short], funnel=funnel))
    assert done[0].text == "mail [email]"
    assert [dict(each.changes) for each in done] == [
        {"email": 1},
        {"email": 2},
        {},
    ]
    assert funnel.changes == {"email": 3}
    funnel = Funnel()
    list(clean(texts, [MASKING, replace(short, high=12)], funnel=funnel))
    assert funnel.changes == {"email": 1}
