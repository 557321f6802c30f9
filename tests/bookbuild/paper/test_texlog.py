"""A LaTeX log, read for what must not go to print."""

import pytest

from bookbuild.paper.texlog import check_log

WIDE = (
    r"Overfull \hbox (12.5pt too wide) in paragraph at lines 7--9"
    "\n"
    r"[]\TU/BytesSerif(0)/m/n/10 a very wide line"
)


def test_a_clean_log_has_no_complaint() -> None:
    """Catches a check that cries wolf over TeX's ordinary chatter."""
    log = (
        "This is XeTeX\n[1] [2\n\n]\nUnderfull \\hbox (badness 10000)\n"
        "LaTeX Warning: Label(s) may have changed.\n"
        "Overfull \\hbox (9.99pt too wide) in paragraph at lines 1--2\n"
        "Missing character: There is no   (U+0020) in font [F.ttf]/OT!\n"
    )
    assert check_log(log).complaint() == ""


def test_first_error_comes_with_its_line() -> None:
    """Catches a report that prints the last error, or none of its context."""
    log = (
        "(./book.tex\n! Undefined control sequence.\n<recently read> \\fo\n\n"
        "l.12 text \\fo\n              o\nThe rest\n! Emergency stop.\n"
    )
    error = check_log(log).error
    assert error.startswith("! Undefined control sequence.")
    assert "l.12 text \\fo" in error
    assert "Emergency" not in error


def test_error_without_a_line_still_shows() -> None:
    """Catches the loss of errors that name no source line."""
    log = "! File ended while scanning use of \\x.\nmore\n"
    assert "File ended" in check_log(log).complaint()


@pytest.mark.parametrize(
    "line",
    [
        "LaTeX Warning: Reference `fig-x' on page 3 undefined on line 9",
        "LaTeX Warning: Hyper reference `fig-x' on page 3 undefined on input",
        "LaTeX Warning: Citation `fig-x' on page 3 undefined on line 9",
    ],
)
def test_undefined_references_are_named_once(line: str) -> None:
    """Catches a kind of reference whose loss goes to print unnoticed."""
    assert check_log(f"{line}\n{line}\n").undefined == ["fig-x"]


def test_labels_defined_twice_are_named() -> None:
    """Catches a link that goes to the wrong of two places."""
    report = check_log("LaTeX Warning: Label `eq:a' multiply defined.\n")
    assert report.duplicates == ["eq:a"]
    assert "labels defined twice" in report.complaint()


def test_missing_characters_are_named_with_their_face() -> None:
    """Catches blank spots where a face has no glyph."""
    line = (
        "Missing character: There is no \ufffd (U+FFFD) in font "
        "[BytesSerif-Regular.ttf]/OT:script=latn;!"
    )
    report = check_log(f"{line}\n{line}\n")
    assert report.missing == ["\ufffd (U+FFFD) in BytesSerif-Regular.ttf"]


def test_wide_boxes_come_with_page_and_lines() -> None:
    """Catches a complaint that leaves the author to search 300 pages."""
    report = check_log(f"[1] [2]\n{WIDE}\n[3]\n")
    assert report.wide == [
        "page 3, 12.5 pt too wide, in paragraph at lines 7--9: "
        "a very wide line"
    ]
