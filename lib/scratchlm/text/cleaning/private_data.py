"""Masking of what leads to a person.

A mask is a pattern that proposes and a test that decides. What is found
becomes a placeholder in square brackets, so that the sentence keeps its form.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from scratchlm.text.cleaning.steps import Edit

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
        return self.pattern.sub(self._replacement, text)

    def _replacement(self, match: re.Match[str]) -> str:
        return f"[{self.name}]" if self.accepts(match) else match[0]


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
    """Addresses that belong to someone; each machine has a 127.0.0.1."""
    before = match.string[max(0, match.start() - 12) : match.start()]
    if _VERSION.search(before):
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


# Four numbers with dots between are a version or a section as well.
_VERSION = re.compile(
    r"(?:\bversions?|\brelease|\bsection|\bv\.?|§)\s*$", re.I
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_PHONE = re.compile(
    r"""(?<![\w.+(/-])(?:
      \+\d{1,3}(?:[ .-]?\(\d{1,4}\))?(?:[ .-]?\d{2,12}){1,6}  # abroad
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
    for mask in masks:
        text = mask(text)
    return text


MASKING = Edit(name="masked", change=partial(mask_private_data, masks=MASKS))
