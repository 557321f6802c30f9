"""Words that running text of a language can hardly avoid.

Gopher's rule has eight of English. The same rule judges another language by
eight of its own: articles, prepositions, conjunctions and forms of "to be".
"""

from collections.abc import Mapping
from types import MappingProxyType

# Eight of each language, chosen here from the most frequent words that jusText
# lists for it (Pomikálek 2011, "Removing Boilerplate and Duplicate Content
# from Web Corpora"). English has Gopher's.
_WORDS = {
    "en": "the be to of and that have with",
    "ar": "في من على إلى أن التي عن مع",
    "bg": "на и се от за да са по",
    "bn": "এবং ও এই থেকে একটি করে সালে তার",
    "ca": "de la i el que en per amb",
    "cs": "a v se na je že s do",
    "da": "og i at er en til af det",
    "de": "der die und in den von das ist",
    "el": "και το του της η να από με",
    "es": "de la que el en y los con",
    "et": "ja on ei et oli ka mis kui",
    "fa": "و در به از که این را با",
    "fi": "ja on ei että se oli myös mutta",
    "fr": "de la le et les des que dans",
    "he": "של את על לא הוא עם גם זה",
    "hi": "के में की है और से का को",
    "hr": "i u je na se da za su",
    "hu": "a az és hogy nem is egy volt",
    "id": "yang dan di dengan untuk dari pada ini",
    "it": "di e che la il un per non",
    "ko": "있다 이 그 수 는 것은 등 및",
    "lt": "ir į kad su iš yra buvo tai",
    "lv": "un ir no ar par kas arī tika",
    "nl": "de het een van en in dat is",
    "no": "og i er en til av det som",
    "pl": "w i na z się do nie jest",
    "pt": "de a que o e do da em",
    "ro": "de și în a la cu din este",
    "ru": "и в не на что с по как",
    "sk": "a v sa na je že s do",
    "sl": "in je v na se da za so",
    "sr": "и у је на се да за су",
    "sv": "och i att det en som är av",
    "tr": "ve bir bu için ile olarak da de",
    "uk": "і в на що з до у та",
    "ur": "کے میں کی ہے اور سے کا کو",
    "vi": "và của là có trong một được các",
}

STOP_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {code: frozenset(words.split()) for code, words in _WORDS.items()}
)


def stop_words_of(code: str) -> frozenset[str]:
    """The stop words of a language.

    Args:
        code: ISO 639-1, as in ``de``.

    Raises:
        ValueError: the table does not have the language.
    """
    if code not in STOP_WORDS:
        raise ValueError(
            f"there are no stop words for the language {code!r}; leave their "
            "rule out (without=['stop words'], or --without 'stop words' on "
            f"the command line); there are some for {', '.join(STOP_WORDS)}"
        )
    return STOP_WORDS[code]
