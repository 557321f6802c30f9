"""The table of frequent words, held against jusText's lists."""

import unicodedata

import justext
import pytest

from scratchlm.text.cleaning.gopher import stop_words
from scratchlm.text.cleaning.stop_words import STOP_WORDS, stop_words_of

LISTS = {
    "en": "English",
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nl": "Dutch",
    "no": "Norwegian_Bokmal",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
}


def test_every_word_is_on_the_list_that_is_named_as_its_source():
    """A word that was typed from memory, with a slip."""
    assert set(LISTS) == set(STOP_WORDS)
    for code, words in STOP_WORDS.items():
        assert len(words) == 8
        assert words <= justext.get_stoplist(LISTS[code]), code


@pytest.mark.parametrize("code", STOP_WORDS)
def test_every_word_is_found_in_a_text(code):
    """A word in capitals, with a space, or spelled as no repaired text is."""
    text = ", ".join(STOP_WORDS[code]).capitalize() + "."
    assert unicodedata.normalize("NFC", text) == text
    assert stop_words(text, [STOP_WORDS[code]]) == 8


def test_a_language_without_words_is_named():
    """A KeyError: 'sw'."""
    with pytest.raises(ValueError, match=r"no stop words for .* 'sw'"):
        stop_words_of("sw")
