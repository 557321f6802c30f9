"""Masks: what they find, and what they must leave alone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchlm.text.cleaning.private_data import (
    MASKING,
    MASKS,
    count_private_data,
    luhn,
    mask_private_data,
)

DIGITS = st.text("0123456789", min_size=1, max_size=18)


def with_check_digit(digits):
    return next(digits + d for d in "0123456789" if luhn(digits + d))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ann.lee@mail.example.", "write to [email]."),
        ("<a+b@x-y.co.uk>", "<[email]>"),
        ("ä.ö@münchen.example", "[email]"),
        ("from 8.8.8.8.", "from [ip]."),
        ("(1.1.1.1:53)", "([ip]:53)"),
        ("at 2606:4700:4700::1111, ok", "at [ip], ok"),
        ("[2606:4700::6810:84e5]:80", "[[ip]]:80"),
        ("2A00:1450:4001:0830:0000:0000:0000:200E", "[ip]"),
        ("call +49 30 901820.", "call [phone]."),
        ("+442079460958", "[phone]"),
        ("+1 (415) 555-0132", "[phone]"),
        ("(415) 555-0132", "[phone]"),
        ("415-555-0132", "[phone]"),
        ("1-415-555-0132", "[phone]"),
        ("415.555.0132", "[phone]"),
        ("(030) 901820", "[phone]"),
        ("pay 4111 1111 1111 1111 now", "pay [card] now"),
        ("5500-0000-0000-0004", "[card]"),
        ("340000000000009", "[card]"),
    ],
)
def test_what_is_found(text, masked):
    """A form of address or number that slips through."""
    assert mask_private_data(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4", "v1.2.3.4", "release 8.8.8.8", "§ 1.2.3.4",
        "1.2.3.4.5", "256.1.1.1", "127.0.0.1", "192.168.0.1", "8.8.8",
        "10.0.0.0", "08.8.8.8", "8.8.8.8-rc1", "fe80::1", "::1", "std::vector",
        "a::b", "dead::beef", "12:30:45", "00:1b:44:11:3a:b7", "ratio 3::4",
        "ISBN 978-3-16-148410-0", "ISBN 0-306-40615-2", "9783161484100",
        "2021-03-04 05:06:07", "04.05.2021", "2010-2015", "20210304050607",
        "1,234,567.89", "$1 234 567", "3.14159265358979", "1234567890",
        "4111 1111 1111 1112", "0000 0000 0000 0000", "4444 4444 4444 4444",
        "icon@2x.png", "user@localhost", "@decorator", "a @ b.example",
        "(1984) 1234", "+1 234 567", "x415-555-0132", "415-155-0132",
        "123e4567-e89b-12d3-a456-426614174000",
    ],
)  # fmt: skip
def test_what_is_left_alone(text):
    """Versions, dates, prices, books and clock times with holes in them."""
    assert mask_private_data(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Version: 4.5.6.7", "version=4.5.6.7", "Release: 4.5.6.7",
        "v4.5.6.7", "V. 4.5.6.7", "ver. 4.5.6.7", "build 4.5.6.7",
        '"version": "4.5.6.7"', "VERSION = '4.5.6.7'", "Version: v4.5.6.7",
        "<version>4.5.6.7</version>", 'AssemblyVersion("4.5.6.7")',
        "app_version=4.5.6.7", "FileVersion: 4.5.6.7", "Firmware: 4.5.6.7",
        "**Version:** 4.5.6.7", "| Version | 4.5.6.7 |",
        "Version 4.5.6.7 - 8.9.1.2",
        "versions 4.5.6.7, 4.5.6.8 and 4.5.6.9",
        "upgrade from 4.5.6.7 to 5.6.7.8",
        "Chrome/120.0.0.0 Safari/4.5.6.7", "(HeadlessChrome/120.1.2.3)",
        "requests==4.5.6.7", "foo >= 4.5.6.7", "Section: 4.5.6.7", "8.0.0.0",
        "Versionsnummer: 4.5.6.7", "versión: 4.5.6.7",
    ],
)  # fmt: skip
def test_a_version_is_no_address(text):
    """A colon, a quotation mark or another version between the word and its
    four numbers."""
    assert mask_private_data(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "host: A", "ip=A", "IP: A", "client_ip='A'", "server A", "ping A",
        "http://A/", "https://ipinfo.io/A", "ssh root@A", "A:53", "dev A",
        "x-forwarded-for: A, A", "The new version runs on A", "from A to A",
    ],
)  # fmt: skip
def test_an_address_stays_one_behind_other_words(text):
    """The key before it names the kind: what says host is no version, and
    "server" is no "ver"."""
    masked = text.replace("A", "[ip]")
    assert mask_private_data(text.replace("A", "8.8.8.8")) == masked


def test_private_addresses_belong_to_nobody():
    """A key cannot make an address of someone out of 10.0.0.1."""
    assert mask_private_data("host: 10.0.0.1") == "host: 10.0.0.1"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+49 30 12345678 90-x", "[phone] 90-x"),
        ("+49301234567890", "[phone]"),
        ("+4930123456789012", "+4930123456789012"),
        ("+49 1234567890123", "[phone]"),
        ("+1-415-555-0132", "[phone]"),
        ("+44(0)2079460958", "[phone]"),
        ("+31415926535897932384", "+31415926535897932384"),
    ],
)
def test_groups_of_a_number_are_whole_runs_of_digits(text, masked):
    """A pattern made fast that masks less than the slow one did."""
    assert mask_private_data(text) == masked


def test_what_is_masked_is_counted_by_kind():
    """A report that says how much went, and not what."""
    text = "a@b.example, c@d.example, 8.8.8.8, 2606:4700:4700::1111, x@2x.png"
    found = count_private_data(text)
    assert found.text == mask_private_data(text)
    assert found.counts == {"email": 2, "ip": 2}
    assert MASKING(text) == found
    assert count_private_data("nothing here").counts == {}
    assert MASKING("nothing here") == "nothing here"
    assert count_private_data(text, MASKS[:1]).counts == {"email": 2}


@pytest.mark.parametrize(
    ("digits", "valid"),
    [("79927398713", True), ("79927398710", False), ("0", True),
     ("18", True), ("81", False), ("59", True)],
)  # fmt: skip
def test_luhn_by_hand(digits, valid):
    """Doubling counted from the left; products of two digits not added up."""
    assert luhn(digits) is valid


@given(DIGITS, st.data())
def test_luhn_sees_each_single_wrong_digit(digits, data):
    """A doubling that maps two digits to one."""
    right = with_check_digit(digits)
    place = data.draw(st.integers(0, len(right) - 1))
    digit = data.draw(st.sampled_from("0123456789"))
    wrong = right[:place] + digit + right[place + 1 :]
    assert luhn(wrong) is (digit == right[place])


@given(DIGITS, st.data())
def test_luhn_sees_each_swap_but_one(digits, data):
    """Neighbours swapped go unseen only where they are 0 and 9."""
    right = with_check_digit(digits)
    place = data.draw(st.integers(0, len(right) - 2))
    a, b = right[place : place + 2]
    wrong = right[:place] + b + a + right[place + 2 :]
    assert luhn(wrong) is (a == b or {a, b} == {"0", "9"})


@pytest.mark.parametrize("digits", ["", "12a", "1 2", "-1", "٣"])
def test_luhn_takes_digits_alone(digits):
    """A check that passes because it skipped what it could not read."""
    with pytest.raises(ValueError, match="decimal digits"):
        luhn(digits)


@given(st.text("a0123456789.:@+()- \n[]") | st.text())
def test_masking_twice_changes_nothing_more(text):
    """A placeholder that joins its neighbours to a new number."""
    once = mask_private_data(text)
    for mask in MASKS:
        assert mask.find(once) == []


def test_finds_are_listed():
    """A report that misses what the mask replaces."""
    text = "a@b.example, c@d.example and icon@2x.png"
    assert MASKS[0].find(text) == ["a@b.example", "c@d.example"]
    assert mask_private_data(text, MASKS[1:]) == text


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "1" * 200_000, "a." * 100_000, "a@" * 100_000,
     "1 " * 100_000, "ab:" * 70_000, "+1 (" * 50_000, "1.2." * 50_000,
     "x@" + "a." * 100_000, "415-" * 50_000, "+" + "31415926" * 25_000],
)  # fmt: skip
def test_a_hostile_text_costs_its_length(text):
    """A pattern that goes back over all it has read at each character."""
    start = time.process_time()
    mask_private_data(text)
    assert time.process_time() - start < 3
