"""Masking of what leads to a person.

A mask is a pattern that proposes and a test that decides. What is found
becomes a placeholder in square brackets, so that the sentence keeps its form.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from scratchlm.text.cleaning.steps import Counted

Test = Callable[[re.Match[str]], bool]


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Finds one kind of private data.

    Args:
        name: the kind; the placeholder is the name in square brackets.
        pattern: what may be one.
        accepts: whether a match is one.
    """

    name: str
    pattern: re.Pattern[str]
    accepts: Test

    def find(self, text: str) -> list[str]:
        """Return what would be masked."""
        found = self.pattern.finditer(text)
        return [match[0] for match in found if self.accepts(match)]

    def __call__(self, text: str) -> str:
        """Return the text with each find replaced."""
        return self.replace(text)[0]

    def replace(self, text: str) -> tuple[str, int]:
        """Return the text with each find replaced, and how many there were."""
        found = 0

        def replacement(match: re.Match[str]) -> str:
            nonlocal found
            if not self.accepts(match):
                return match[0]
            found += 1
            return f"[{self.name}]"

        return self.pattern.sub(replacement, text), found


def luhn(digits: str) -> bool:
    """Whether the check digit at the end of a card number is right.

    From the right, every second digit is
    doubled, and the digits of all products are added up; the sum ends in 0.

    Args:
        digits: decimal digits alone, one at least.

    Raises:
        ValueError: something else is in it.

    Source: Luhn 1960, US patent 2,950,048, "Computer for verifying numbers".
    """
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(
            f"{digits!r} is not made of decimal digits alone; take out spaces "
            "and hyphens, and give one digit or more"
        )
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) << (place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def _is_card(match: re.Match[str]) -> bool:
    digits = re.sub(r"\D", "", match[0])
    # Issuers of payment cards have numbers that begin with 3 to 6.
    return digits[0] in "3456" and len(set(digits)) > 1 and luhn(digits)


def _is_email(match: re.Match[str]) -> bool:
    """An image for fine screens is called icon@2x.png."""
    end = match[0].rpartition(".")[2].lower()
    return end not in {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js"}


def _is_ipv4(match: re.Match[str]) -> bool:
    """Addresses that belong to someone; each machine has a 127.0.0.1.

    What stands before tells a version or a section from an address. Three
    zeros at the end name a network or a version, and no machine.
    """
    start = max(0, match.start() - _BEFORE)
    before = match.string[start : match.start()]
    if _VERSION.search(before) or match[0].endswith(".0.0.0"):
        return False
    try:
        return IPv4Address(match[0]).is_global
    except AddressValueError:
        return False


def _is_ipv6(match: re.Match[str]) -> bool:
    """Only 2000::/3 is given out; the rest is C++, or local."""
    try:
        address = IPv6Address(match[0])
    except AddressValueError:
        return False
    return address.is_global and int(address) >> 125 == 1


def _is_phone(match: re.Match[str]) -> bool:
    """At most 15 digits make a number of the world (ITU-T E.164)."""
    return 8 <= sum(map(str.isdigit, match[0])) <= 15


# Four numbers with dots between are a version or a section as well. What
# says so may stand at some distance: "version": "1.2.3.4", versions 1.2 and
# 1.2.3.4. "host: 8.8.8.8" and "ip=8.8.8.8" have another key, and are masked.
_BEFORE = 48  # characters to look at; guessed
_VERSION = re.compile(
    r"""(?:
      (?:versi[oóõ]n\w{0,8}|vers[aã]o|wersja|версия|版本|バージョン
        |releases?|builds?|revisions?|firmware|edition
        |(?<![^\W_])(?:ver|rev|v|drivers?|patch|hotfix|updates?|upgrades?|sdk
          |runtime|kernel|plugin|sections?|sec|chapters?|clauses?|articles?
          |paragraphs?)|§§?)
      (?:[ ](?:number|no\.?|is|was|to|of|from))?
      [\s.:="'\[(>,*|–-]{0,6}
      (?:v?\d+(?:\.\d+){0,4}[\s,;/"']{0,3}
        (?:(?:and|or|to|through|until|from|bis|und)\b|->|[-–→])?\s?["']?){0,4}
    | (?:^|[\s("'\[;,])[a-z][a-z0-9+_-]{0,31}/    # Chrome/120.0.0.0
    | [\w\])](?:[=~<>!]=|\^|~)[ ]?               # requests==4.5.6.7
    | [\s"'](?:>=|<=|~>|~=|\^|~)[ ]?
    )$""",
    re.X | re.I,
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_PHONE = re.compile(
    r"""(?<![\w.+(/-])(?:
      # Abroad. A group is a whole run of digits: a run that could be cut
      # into groups in many ways would be tried in all of them.
      \+\d{1,3}(?:[ .-]?\(\d{1,4}\))?(?:[ .-]?\d{2,15}+(?!\d)){1,6}
    | (?:1[ .-])?\([2-9]\d\d\)[ ]?[2-9]\d\d[ .-]\d{4}         # (415) 555-0132
    | (?:1[ .-])?[2-9]\d\d([.-])[2-9]\d\d\1\d{4}              # 415-555-0132
    | \(0\d{1,5}\)[ ]?\d[\d -]{3,9}\d                         # at home
    )(?![\w-]|\.\d)""",
    re.X | re.A,
)

MASKS: tuple[Mask, ...] = (
    Mask(
        name="email",
        # The length of the name is bounded, so that a long run of letters
        # costs its length, not the square of it.
        pattern=re.compile(
            r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}"
            r"(?![\w-])"
        ),
        accepts=_is_email,
    ),
    Mask(
        name="ip",
        pattern=re.compile(
            r"(?<![\w:.])(?=[0-9a-f:]{0,39}:)[0-9a-f:]{2,39}"
            rf"(?:(?<=:){_OCTET}(?:\.{_OCTET}){{3}})?(?![\w:])",
            re.I,
        ),
        accepts=_is_ipv6,
    ),
    Mask(
        name="ip",
        pattern=re.compile(
            rf"(?<![\w.-]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w-]|\.\d)", re.A
        ),
        accepts=_is_ipv4,
    ),
    Mask(
        name="card",
        pattern=re.compile(
            r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)", re.A
        ),
        accepts=_is_card,
    ),
    Mask(name="phone", pattern=_PHONE, accepts=_is_phone),
)


def mask_private_data(text: str, masks: Sequence[Mask] = MASKS) -> str:
    """Replace e-mail, IP and card and phone numbers by placeholders.

    Masking twice changes nothing more.

    Args:
        text: any text.
        masks: the kinds to look for, in order.
    """
    return count_private_data(text, masks).text


def count_private_data(text: str, masks: Sequence[Mask] = MASKS) -> Counted:
    """Replace as :func:`mask_private_data` does, and count by kind.

    Args:
        text: any text.
        masks: the kinds to look for, in order.

    Returns:
        The text, and how many finds of each kind there were; a kind without
        finds is not among the counts.
    """
    counts: Counter[str] = Counter()
    for mask in masks:
        text, found = mask.replace(text)
        counts[mask.name] += found
    return Counted(text=text, counts=+counts)


@dataclass(frozen=True, kw_only=True)
class Masking:
    """The step that masks, and counts what it masked.

    Args:
        masks: the kinds to look for, in order.
        name: what the funnel calls it.
    """

    masks: Sequence[Mask] = MASKS
    name: str = "masked"

    def __call__(self, text: str) -> str | Counted:
        """Return the masked text and its counts; the text where none are."""
        found = count_private_data(text, self.masks)
        return found if found.counts else text


MASKING = Masking()
