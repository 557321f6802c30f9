"""Repair: certain, complete, and harmless to clean text."""

import gettext
import time
import unicodedata
from pathlib import Path

import pytest
import sphinx
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.cleaning.messy_web import mangle
from scratchlm.text.cleaning.repair import repair_mojibake, repair_text

LOCALE = Path(sphinx.__file__).parent / "locale"


def messages():
    """What volunteers wrote in some sixty languages, beyond ASCII."""
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/sphinx.mo")):
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog
        for key, text in catalog.items():
            if key and isinstance(text, str) and not text.isascii():
                yield unicodedata.normalize("NFC", text)


MESSAGES = sorted(set(messages()))


def test_honest_text_of_all_languages_stays():
    """A repair that takes a rare letter before a sign for a mistake."""
    assert len(MESSAGES) > 5000
    assert [m for m in MESSAGES if repair_mojibake(m) != m] == []


@pytest.mark.parametrize("tail", ["…", "”", "’", "\xa0»", "™", "®", "—", "°"])
def test_a_word_before_a_sign_stays(tail):
    """É and … are the two bytes of a letter of West Africa; ó, a space that
    does not break, — and another are the four of a reserved sign."""
    words = {
        word
        for message in MESSAGES
        for word in message.split()
        if word.isalpha() and not word.isascii()
    }
    for word in words:
        for form in (word, word.upper(), word.title()):
            for text in (form + tail, f"{form}{tail}\xa0» {form}."):
                assert repair_mojibake(text) == text


@pytest.mark.untraced
def test_mangled_text_of_all_languages_comes_back():
    """A kind of sequence that is missing from the table."""
    for wrong in (mangle, lambda m: m.encode().decode("latin-1")):
        back = sum(repair_mojibake(wrong(m)) == m for m in MESSAGES)
        assert back > 0.98 * len(MESSAGES)


@pytest.mark.parametrize(
    "text",
    ["café", "the moon’s pull", "“so”", "Søg", "naïve 🙂", "10 €", "日本語",
     "Приве́т", "a – b", "über", "£5", "© us", "ça va à Paris"],
)  # fmt: skip
def test_text_that_was_mangled_once_or_twice_comes_back(text):
    """A repair that stops after the first layer."""
    text = unicodedata.normalize("NFC", text)
    assert repair_mojibake(mangle(text)) == text
    assert repair_mojibake(mangle(mangle(text))) == text


def test_one_honest_letter_in_a_line_forbids_the_repair_of_that_line():
    """A guess: half of a line that was mangled is not a thing that happens,
    and a page about mojibake shows both."""
    line = "they wrote cafÃ© for café"
    assert repair_mojibake(line) == line
    assert repair_mojibake(f"{line}\ncafÃ©") == f"{line}\ncafé"


def test_what_was_lost_is_not_invented():
    """A byte that a reader dropped leaves no valid sequence."""
    assert repair_mojibake("â€ so") == "â€ so"


@given(st.text() | st.text("ÂÃâ€™©é a\x80\x99\xa0\xad\u200b\u0303A\n\r"))
def test_repairing_twice_changes_nothing_more(text):
    """A step whose result its next run takes for damage."""
    once = repair_text(text)
    assert repair_text(once) == once


@given(st.text())
def test_a_repaired_text_is_plain(text):
    """A control, an odd space or a decomposed letter that slips through."""
    repaired = repair_text(text)
    assert unicodedata.is_normalized("NFC", repaired)
    kinds = {unicodedata.category(char) for char in repaired} - {"Zs", "Cf"}
    assert not kinds & {"Cs", "Zl", "Zp"}
    controls = {c for c in repaired if unicodedata.category(c) == "Cc"}
    assert controls <= {"\n", "\t"}
    assert {c for c in repaired if unicodedata.category(c) == "Zs"} <= {
        *(" ", "\u3000")
    }
    assert "\n\n\n" not in repaired
    assert " \n" not in repaired
    repaired.encode()


@given(st.text("abc ABC.,;é日ß\n", max_size=60))
def test_clean_text_is_left_alone(text):
    """A repair that costs good text a character."""
    lines = [line.rstrip() for line in text.split("\n")]
    clean = "\n".join(line for line in lines if line)
    assert repair_text(clean) == clean


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("a\u00a0b\u2009c\u202fd", "a b c d"),
        ("co\u00adop\u200berate\ufeff", "cooperate"),
        ("bell\x07 and null\x00", "bell and null"),
        ("it\x92s a \x93quote\x94\x85", "it’s a “quote”…"),
        ("e\u0301te\u0301", "été"),
        ("a  \n\n\n\n b\t\n", "a\n\n b"),
        ("half \ud83d a pair", "half  a pair"),
        ("    return x", "    return x"),
        ("a\tb", "a\tb"),
    ],
)
def test_each_repair(text, repaired):
    """One kind of dirt that is forgotten, or indentation that is lost."""
    assert repair_text(text) == repaired


@pytest.mark.parametrize("text", ["می\u200cخواهم", "👩\u200d👩\u200d👧"])
def test_joiners_that_spell_are_kept(text):
    """Persian and emoji are spelt with characters that have no width."""
    assert repair_text(text) == text


@pytest.mark.parametrize(
    "text",
    [" " * 200_000 + "x", "\n" * 200_000, "Ã" * 200_000, "Ã©" * 100_000,
     mangle(mangle("é" * 20_000)), "\r\u200b" * 100_000],
)  # fmt: skip
def test_a_hostile_text_costs_its_length(text):
    """A pattern that goes back over all it has read at each character."""
    start = time.process_time()
    repair_text(text)
    assert time.process_time() - start < 3
