"""The colours of printed code."""

from bookbuild.paper.printstyle import PrintStyle


def test_code_on_paper_stays_dark_enough() -> None:
    """Catches a colour that a grey printer turns to mist."""
    for _, style in PrintStyle:
        red, green, blue = (
            int((style["color"] or "000000")[i : i + 2], 16) / 255
            for i in (0, 2, 4)
        )
        assert 0.21 * red + 0.72 * green + 0.07 * blue < 0.5
