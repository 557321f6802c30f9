"""Languages: what passes, what does not, and when nobody can tell."""

import sys

import pytest

from scratchlm.text.cleaning.languages import (
    Guess,
    LanguageStep,
    load_identifier,
)
from scratchlm.text.cleaning.messy_prose import FOREIGN, TOPICS
from scratchlm.text.cleaning.steps import Rejection


@pytest.fixture(scope="module")
def identify():
    return load_identifier()


def test_each_language_is_known(identify):
    """Codes of another standard; a model that did not load."""
    texts = {code: " ".join(lines) for code, lines in FOREIGN.items()}
    texts["en"] = " ".join(TOPICS["tides"])
    for code, text in texts.items():
        guess = identify(text)
        assert guess.code == code
        assert 0.9 < guess.confidence <= 1


def test_the_step_lets_its_languages_pass(identify):
    """A confident guess of another language that passes."""
    step = LanguageStep(identifier=identify)
    english = " ".join(TOPICS["bees"])
    assert step(english) is english
    french = " ".join(FOREIGN["fr"])
    rejected = step(french)
    assert isinstance(rejected, Rejection)
    assert rejected.reason.startswith("language: fr at ")
    assert rejected.reason.endswith("allowed: en")
    both = LanguageStep(codes=("en", "fr"), identifier=identify)
    assert both(french) is french


def test_the_confidence_counts_from_its_threshold():
    """A < for a <=, or a guess of the right language without confidence."""
    text = "x" * 40

    def step(confidence):
        def identify(text):
            return Guess(code="en", confidence=confidence)

        return LanguageStep(min_confidence=0.5, identifier=identify)

    assert step(0.5)(text) is text
    assert "en at 0.49, at least 0.5" in step(0.49)(text).reason


def test_a_short_text_is_not_guessed():
    """A confident answer to a question without one."""

    def identify(text):
        raise AssertionError(text)

    step = LanguageStep(min_letters=5, identifier=identify)
    assert "4 letters, at least 5" in step("a b-c 12345 d!").reason
    with pytest.raises(AssertionError, match="abcde"):
        step("abcde")


@pytest.mark.parametrize(
    "text", ["", "\0", "\ud800" * 50, "🙂" * 50, "é" * 50]
)
def test_odd_text_raises_nothing(text, identify):
    """One page that ends the run."""
    LanguageStep(identifier=identify, min_letters=0)(text)


@pytest.mark.parametrize("options", [{"codes": ()}, {"min_confidence": 1.5}])
def test_bad_input_is_named(options, identify):
    """A step that rejects everything."""
    with pytest.raises(ValueError, match="codes is"):
        LanguageStep(**options, identifier=identify)


def test_the_missing_library_is_named(monkeypatch):
    """An ImportError from the depths of a pipeline."""
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(ValueError, match=r"py3langid.*scratchlm\[data\]"):
        load_identifier()
