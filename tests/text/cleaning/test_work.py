"""Whatever is run over a stranger's text costs the length of that text."""

import time
from functools import partial
from itertools import product

import pytest

from scratchlm.text.cleaning.by_language import steps_for
from scratchlm.text.cleaning.c4 import word_list_rule
from scratchlm.text.cleaning.html_bytes import decode_html
from scratchlm.text.cleaning.pipeline import DEFAULT_STEPS
from scratchlm.text.cleaning.private_data import MASKS
from scratchlm.text.cleaning.quality import HashedNgrams
from scratchlm.text.deduplication.exact import normalise
from scratchlm.text.deduplication.shingles import shingle

# Every class of character that a pattern of ours tells from others, and the
# signs that begin what one looks for.
CLASSES = [
    "1", "a", " ", "\n", "\t", "\u0301", "é", "Ã", "â€", "日", "。", "🙂",
    *"+-.,:;@/([{<=\"#*!?_%", "\r\n", "\x85", "\u200b",
]  # fmt: skip
OPENINGS = [
    "+", "+1 (", "(0", "415-", "a@", "a@a.", "1.", "::", "[", "1 ", "1-",
    "version ", "version 1.2.3.4, ", "x/1.1.1.1 ", "<meta ", "...", "\n ",
]  # fmt: skip
TEXTS = [
    *(partial(lambda n, unit: unit * (n // len(unit)), unit=unit)
      for unit in [*CLASSES, *OPENINGS]),
    *(partial(lambda n, a, b: (a + b) * (n // len(a + b)), a=a, b=b)
      for a, b in product("1a .-:\u0301Ã\n(", repeat=2) if a != b),
    *(partial(lambda n, head, unit: head + unit * (n // len(unit)),
              head=head, unit=unit)
      for head, unit in product(OPENINGS, "1a .-:\n")),
]  # fmt: skip
WORK = {
    **{f"{number} {mask.name}": mask for number, mask in enumerate(MASKS)},
    **{s.name: s for s in DEFAULT_STEPS if s.name != "masked"},
    "stop words of others": next(
        step for step in steps_for(["de", "hi"]) if step.name == "stop words"
    ),
    "listed words": word_list_rule(["bad", "worse words"]),
    "normalised": normalise,
    "shingles": lambda text: shingle([text], 5, "words"),
    "n-grams": HashedNgrams().places,
    "bytes of a page": lambda text: decode_html(text.encode()),
}
SIZE = 2_000
QUICK = 0.02  # seconds, in which no square of the size could be walked


def seconds(work, text):
    """The least of three measurements of the processor's time."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work(text)
        times.append(time.process_time() - start)
        if times[-1] < QUICK:
            break
    return min(times)


@pytest.mark.untraced  # a trace costs as much as what is measured
@pytest.mark.parametrize("name", WORK)
def test_work_grows_as_the_text_does(name):
    """A pattern that can cut a run of digits into groups in many ways tries
    them all: a hundred digits took a second, and two hundred took thirty.

    What is quick at one size is no square of it. What is not must take less
    than eight times as long for four times the text, where a square takes
    sixteen."""
    for make in TEXTS:
        if seconds(WORK[name], make(SIZE)) < QUICK:
            continue
        ratios = []
        for _ in range(4):
            short = seconds(WORK[name], make(SIZE))
            ratios.append(seconds(WORK[name], make(4 * SIZE)) / short)
            if ratios[-1] < 8:
                break
        assert min(ratios) < 8, make
