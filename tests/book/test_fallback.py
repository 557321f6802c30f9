"""The map from characters to the faces that have them."""

import re
from pathlib import Path

import pytest

from scratchlm.book.fallback import FACES, coverage, fallback_source
from scratchlm.book.latex import FONTS


def test_a_missing_font_is_named(tmp_path: Path) -> None:
    """Catches a PDF whose ideographs vanish because a file did."""
    with pytest.raises(ValueError, match="BytesSerif-Regular"):
        coverage(tmp_path)


def test_each_character_gets_a_class_exactly_when_a_face_lacks_it() -> None:
    """Catches characters that the map forgets, or assigns twice."""
    has = coverage(FONTS)
    source = fallback_source(FONTS)
    assigned: list[int] = []
    pattern = r'\\bytes@assign\{"(\w+)\}\{"(\w+)\}'
    for low, high in re.findall(pattern, source):
        assigned += range(int(low, 16), int(high, 16) + 1)
    everywhere = set.intersection(*(has[face] for face in FACES))
    anywhere = {c for c in set().union(*has.values()) if c > 0x20}
    assert sorted(assigned) == sorted(anywhere - everywhere)


def test_code_takes_a_smaller_substitute() -> None:
    """Catches ideographs in code as large as those of the text."""
    source = fallback_source(FONTS)
    entered = re.findall(r"@in\{\\bytes@enter(.*)\}\n", source)
    assert any(
        line == r"{\bytes@face@fallback}{\bytes@face@fallback}"
        r"{\bytes@face@smallfallback}{\bytes@face@smallfallback}"
        for line in entered
    )


def test_selectors_without_a_glyph_are_skipped() -> None:
    """Catches a build that fails on the invisible half of an emoji."""
    has = coverage(FONTS)
    source = fallback_source(FONTS)
    covered = any(0xFE0F in points for points in has.values())
    assert ('\\catcode"FE0F=9' in source) is not covered
