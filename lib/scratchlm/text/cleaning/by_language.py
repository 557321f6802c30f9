"""The default steps, as far as they can judge a language.

The rules of Gopher and C4 were made for English. Some count words, which
some languages do not part by spaces; one knows English words; two look for
the marks that end a sentence.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from scratchlm.foundation.arguments import not_one_string
from scratchlm.text.cleaning.gopher import GOPHER, stop_word_rule
from scratchlm.text.cleaning.pipeline import DEFAULT_STEPS, PAGE_STEPS
from scratchlm.text.cleaning.repetition import REPETITION
from scratchlm.text.cleaning.steps import Rule, Step

UNSPACED = frozenset(
    ["bo", "dz", "ja", "km", "lo", "my", "th", "wuu", "yue", "zh"]
)
UNMARKED = frozenset(["bo", "dz", "lo", "th"])  # no mark ends a sentence

_ON_WORDS = frozenset(
    [
        *(rule.name for rule in GOPHER if "lines" not in rule.name),
        *(rule.name for rule in REPETITION if "gram" in rule.name),
        "lines of words",
    ]
)
_ON_SENTENCES = frozenset(["sentence lines", "sentences"])

# Bounds of the mean length of a word where Gopher's 3 to 10 turn ordinary
# prose away (guessed: Vietnamese parts syllables, Korean has two or three to
# a word, and Tamil and Malayalam write phrases as one word).
_WORD_LENGTHS = {
    "fi": (3, 12),
    "kn": (3, 14),
    "ko": (2, 10),
    "ml": (3, 18),
    "ta": (3, 14),
    "te": (3, 14),
    "vi": (2, 10),
}


def without_rules(languages: Iterable[str]) -> list[str]:
    """The names of the default steps that cannot judge some languages.

    Args:
        languages: codes as in ``("zh", "en")``.
    """
    not_one_string(languages, "languages")
    codes = set(languages)
    bad: set[str] = set()
    if codes & UNSPACED:
        bad |= _ON_WORDS
    if codes & UNMARKED:
        bad |= _ON_SENTENCES
    return [step.name for step in DEFAULT_STEPS if step.name in bad]


def steps_for(
    languages: Sequence[str] = ("en",),
    *,
    pages: bool = False,
    without: Collection[str] = (),
) -> tuple[Step, ...]:
    """The default steps for texts in some languages.

    A text needs stop words of one of them. Rules that cannot judge one of
    the languages are not among the steps; :func:`without_rules` names them.

    Args:
        languages: codes of ISO 639-1, as in ``("de", "fr")``.
        pages: the texts are pages of HTML.
        without: names of steps to leave out.

    Raises:
        ValueError: a name is that of no step, or a language has no stop
            words and their rule is not left out.
    """
    not_one_string(languages, "languages")
    steps = PAGE_STEPS if pages else DEFAULT_STEPS
    names = [step.name for step in steps]
    unknown = sorted(set(without) - set(names))
    if unknown:
        raise ValueError(
            f"there is no step {unknown[0]!r} to leave out; the steps are "
            f"{', '.join(names)}"
        )
    out = {*without, *without_rules(languages)}
    return tuple(
        _fitted(step, languages) for step in steps if step.name not in out
    )


def _fitted(step: Step, languages: Sequence[str]) -> Step:
    """The same step, or the rule of that name for the languages."""
    if step.name == "stop words":
        return stop_word_rule(languages)
    if step.name == "word length" and isinstance(step, Rule):
        found = [_WORD_LENGTHS.get(code, (3, 10)) for code in languages]
        low, high = (min(a for a, _ in found), max(b for _, b in found))
        return replace(step, low=low, high=high)
    return step
