"""Pages as the web has them, good and bad, made on demand.

Each says what it is, so that a cleaner can
be graded. All of the text is invented, addresses and numbers included.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from random import Random

from scratchlm.foundation.dice import Dice
from scratchlm.text.cleaning.messy_prose import (
    FOREIGN,
    MONTHS,
    NAMES,
    SPAM,
    TEASERS,
    TOPICS,
    VILLAGES,
)


@dataclass(frozen=True, kw_only=True)
class MessyPage:
    """A page, and what it is.

    Args:
        site: whose page it is; pages of one site share their frame.
        kind: one of :data:`PAGE_KINDS`.
        html: what the server sends, decoded the way a careless crawler does.
        good: whether a cleaner should keep it.
        body: the text that the page is about, one paragraph to a line.
    """

    site: str
    kind: str
    html: str
    good: bool
    body: str


def messy_pages(n: int, seed: int = 0) -> Iterator[MessyPage]:
    """Make pages of four sites and of every kind.

    Args:
        n: how many.
        seed: equal seeds give equal pages; a longer run continues a shorter.

    Raises:
        ValueError: ``n`` is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}; give 0 or more pages")
    dice = Dice(Random(seed))
    return (_page(dice) for _ in range(n))


def _page(dice: Dice) -> MessyPage:
    kind = dice.pick(_DRAWN)
    site = dice.pick(SITES)
    paragraphs = _PARAGRAPHS[kind](dice)
    frame = _old_frame if site == "clocktower.example" else _new_frame
    html = frame(site, dice, _markup(kind, paragraphs))
    if kind == "mojibake":
        html = mangle(html)
    return MessyPage(
        site=site,
        kind=kind,
        html=html,
        good=kind in GOOD,
        body="\n".join(paragraphs),
    )


def mangle(text: str) -> str:
    """Read the UTF-8 of a text as a browser reads windows-1252."""
    return "".join(
        bytes([byte]).decode("cp1252", "ignore") or chr(byte)
        for byte in text.encode()
    )


def _article(dice: Dice) -> list[str]:
    sentences = dice.some(TOPICS[dice.pick(list(TOPICS))], 8 + dice.below(5))
    filled = [
        sentence.format(
            place=dice.pick(VILLAGES),
            name=dice.pick(NAMES),
            month=dice.pick(MONTHS),
            n=3 + dice.below(40),
        )
        for sentence in sentences
    ]
    return [" ".join(filled[i : i + 3]) for i in range(0, len(filled), 3)]


def _contact(dice: Dice) -> list[str]:
    name = dice.pick(NAMES)
    account = name.lower().replace(" ", ".")
    mail = f"{account}{dice.below(90) + 10}@mail.example"
    digits = f"{dice.below(100):02d}"
    return [
        *_article(dice),
        f"If you want to know more, {name} answers letters to {mail} and "
        f"the telephone +44 20 7946 09{digits} in the evening.",
        f"Please pay for the tour with the card 4111 1111 1111 1111 of the "
        f"society, and not in cash; the last order came from "
        f"8.8.{dice.below(256)}.{dice.below(256)} and was never collected.",
    ]


def _foreign(dice: Dice) -> list[str]:
    sentences = dice.some(FOREIGN[dice.pick(list(FOREIGN))], 8)
    return [" ".join(sentences[i : i + 4]) for i in range(0, 8, 4)]


def _spam(dice: Dice) -> list[str]:
    def phrase(n: int) -> str:
        return " ".join(dice.pick(SPAM) for _ in range(n))

    return [
        " ".join(f"{phrase(9)} of the {phrase(6)}." for _ in range(6))
        for _ in range(4)
    ]


def _repeated(dice: Dice) -> list[str]:
    line = dice.pick(TOPICS[dice.pick(list(TOPICS))]).format(
        place=dice.pick(VILLAGES), name=dice.pick(NAMES), month="May", n=6
    )
    again = " ".join([line] * (5 + dice.below(5)))
    return [*_article(dice)[:2], again]


def _near_empty(dice: Dice) -> list[str]:
    return [
        dice.pick(
            (
                "This page is under construction. Please come back later.",
                "There are no entries in this category yet.",
                "The gallery opens in a new window. Please have patience.",
            )
        )
    ]


def _code(dice: Dice) -> list[str]:
    parts = []
    for _ in range(20 + dice.below(20)):
        a, b, c = (chr(97 + dice.below(26)) for _ in range(3))
        k = dice.below(512)
        parts.append(
            f"function {a}({b},{c}){{return {b}?{c}[{k}]||{a}.call(this,{b}):"
            f'void 0}}var {c}=!{k},{b}={{{a}:{k},"{c}":[{k},{k + 1}]}};'
        )
    return ["".join(parts)]


def _teasers(dice: Dice) -> list[str]:
    return [f"{teaser} ..." for teaser in dice.some(TEASERS, 7)]


def _placeholder(dice: Dice) -> list[str]:
    latin = (
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do "
        "eiusmod tempor incididunt ut labore et dolore magna aliqua."
    )
    return [*_article(dice)[:3], latin, *_article(dice)[:1]]


def _listing(dice: Dice) -> list[str]:
    return [
        f"- {dice.pick(NAMES)}, {dice.pick(VILLAGES)}, room {dice.below(90)}, "
        f"{dice.below(28) + 1} {dice.pick(MONTHS)}"
        for _ in range(18)
    ]


_PARAGRAPHS: dict[str, Callable[[Dice], list[str]]] = {
    "article": _article,
    "mojibake": _article,
    "contact": _contact,
    "foreign": _foreign,
    "keyword spam": _spam,
    "repeated": _repeated,
    "near-empty": _near_empty,
    "minified code": _code,
    "teasers": _teasers,
    "placeholder": _placeholder,
    "listing": _listing,
}
PAGE_KINDS = tuple(_PARAGRAPHS)
GOOD = frozenset({"article", "mojibake", "contact"})
# Guessed, to have each kind often enough: a third of the pages are good.
_DRAWN = (*PAGE_KINDS, "article", "article", "near-empty")
SITES = (
    *("harbour-letter.example", "slow-wheels.example"),
    *("clocktower.example", "kitchen-notes.example"),
)

_COOKIES = (
    "We and our 214 partners use cookies to store information on your "
    "device. By continuing you agree to our privacy policy."
)
_INVITATION = {
    "harbour-letter.example": "Did you like this piece? The Harbour Letter "
    "comes out every second Thursday and costs nothing.",
    "slow-wheels.example": "Slow Wheels is written by volunteers in the "
    "evening. Tell a friend about us if you enjoyed the ride.",
    "clocktower.example": "You are visitor number one of the society of "
    "friends of the clock tower. Please sign our guest book.",
    "kitchen-notes.example": "Kitchen Notes is read in more than one "
    "kitchen. Leave a comment below and say how it went.",
}


def _markup(kind: str, paragraphs: list[str]) -> str:
    if kind == "minified code":
        return f"<pre>{escape(paragraphs[0])}</pre>"
    if kind == "listing":
        items = (line.removeprefix("- ") for line in paragraphs)
        return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
    return "".join(f"<p>{escape(p, quote=False)}</p>\n" for p in paragraphs)


def _new_frame(site: str, dice: Dice, main: str) -> str:
    links = "".join(
        f'<li><a href="/{place.lower()}">{place}</a></li>'
        for place in ("Home", "Archive", "About", "Shop", "Contact")
    )
    more = "".join(
        f'<li><a href="/p/{dice.below(999)}">{teaser}</a></li>'
        for teaser in dice.some(TEASERS, 3)
    )
    return (
        f"<!doctype html><html><head><title>{site}</title>"
        "<style>nav li{display:inline}</style>"
        f"<script>window.ads={{slot:{dice.below(9999)},lazy:!0}};</script>"
        f"</head><body>\n<nav><ul>{links}</ul></nav>\n"
        f'<div id="cookie-banner"><p>{_COOKIES}</p>'
        "<button>Accept all</button></div>\n"
        f"<article>\n{main}<p>{_INVITATION[site]}</p>\n</article>\n"
        f"<aside><h3>Read next</h3><ul>{more}</ul></aside>\n"
        f"<footer>© {site} · Imprint · Terms of use</footer>\n"
        "</body></html>"
    )


def _old_frame(site: str, dice: Dice, main: str) -> str:
    """As pages were made before there was an element for each part."""
    return (
        f"<html><head><title>{site}</title></head>\n"
        "<body bgcolor=white><center><a href=/>Home</a> | "
        "<a href=/tower>Tower</a> | <a href=/guests>Guest book</a></center>\n"
        f"<hr>\n{main}<p>{_INVITATION[site]}</p>\n<p>{_COOKIES}</p>\n"
        f"<p>Last changed on {1 + dice.below(28)} {dice.pick(MONTHS)} "
        "by the webmaster of the tower.</p>\n</body></html>"
    )
