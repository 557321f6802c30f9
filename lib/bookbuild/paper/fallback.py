"""Which file draws a character that the face of the text lacks."""

from collections.abc import Mapping
from pathlib import Path

from fontTools.ttLib import TTFont

# Faces in the order of \bytes@enter's arguments. The bold cuts cover what the
# regular ones do; only the italic mono covers less.
FACES = (
    "BytesSerif-Regular",
    "BytesSans-Regular",
    "SourceCodePro-Regular",
    "SourceCodePro-It",
)
# Who may stand in, in order of preference, and the TeX command for it.
STANDINS = {
    "BytesFallback-Regular": "fallback",
    "SourceCodePro-Regular": "mono",
    "BytesSans-Regular": "sans",
    "BytesSerif-Regular": "serif",
}
# Joiners and selectors ask a shaper for another form. Faces without that form
# have no glyph for them either, and the reader misses nothing.
INVISIBLE = (0x200B, 0x200C, 0x200D, 0x2060, 0xFE0E, 0xFE0F, 0xFEFF)
IDEOGRAPHS = (
    range(0x2E80, 0x3000),
    range(0x3040, 0xA000),
    range(0xAC00, 0xD7B0),
    range(0xF900, 0xFB00),
    range(0x20000, 0x30000),
)


def coverage(fonts: Path) -> dict[str, set[int]]:
    """Read which code points each face has.

    Args:
        fonts: folder of the .ttf files.

    Raises:
        ValueError: a face that the PDF needs is not in the folder.
    """
    found: dict[str, set[int]] = {}
    for name in dict.fromkeys((*FACES, *STANDINS)):
        path = fonts / f"{name}.ttf"
        if not path.is_file():
            raise ValueError(
                f"no font {path}; the PDF needs {', '.join(STANDINS)} and "
                f"{FACES[-1]}: restore the folder from version control"
            )
        with TTFont(path, lazy=True) as font:
            found[name] = set(font.getBestCmap())
    return found


def _standins(
    code: int, has: Mapping[str, set[int]]
) -> tuple[str, ...] | None:
    """Say per face who draws this code point; None where all faces can."""
    lacking = [code not in has[face] for face in FACES]
    if not any(lacking):
        return None
    command = next((c for n, c in STANDINS.items() if code in has[n]), "")
    return tuple(command if lacks else "" for lacks in lacking)


def _is_ideograph(code: int) -> bool:
    return any(code in block for block in IDEOGRAPHS)


def _ranges(codes: list[int]) -> list[tuple[int, int]]:
    """Join sorted code points to closed ranges."""
    joined: list[tuple[int, int]] = []
    for code in codes:
        if joined and joined[-1][1] == code - 1:
            joined[-1] = (joined[-1][0], code)
        else:
            joined.append((code, code))
    return joined


def _class_source(
    number: int, who: tuple[str, ...], ideographs: bool, codes: list[int]
) -> list[str]:
    """Write the TeX of one class of characters."""
    name = f"\\bytes@class@{chr(ord('a') + number)}"
    lines = [f"\\newXeTeXintercharclass{name}"]
    for low, high in _ranges(codes):
        lines.append(f'\\bytes@assign{{"{low:X}}}{{"{high:X}}}{name}')
    # The mono faces are scaled, so what stands in for them is scaled too.
    smaller = "small" if who[2] or who[3] else ""
    steps = [f"\\bytes@face@{c}" if c else "" for c in who]
    if smaller:
        steps = [
            s.replace("@fallback", "@smallfallback") if i >= 2 else s
            for i, s in enumerate(steps)
        ]
    enter = "".join(f"{{{step}}}" for step in steps)
    lines.append(f"\\def{name}@in{{\\bytes@enter{enter}}}")
    lines.append(f"\\bytes@class{{{int(ideographs)}}}{name}{name}@in")
    return lines


def fallback_source(fonts: Path) -> str:
    """Write the TeX that gives every character a face that has it.

    Characters that all faces have stay as they are. The others are sorted
    into XeTeX character classes, one for each answer to "who draws this in
    serif, sans, mono and italic mono"; ideographs make classes of their own,
    because lines may break between them.

    Args:
        fonts: folder of the .ttf files.

    Raises:
        ValueError: a face that the PDF needs is not in the folder.
    """
    has = coverage(fonts)
    classes: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for code in sorted(set().union(*has.values())):
        who = _standins(code, has)
        if who is not None and code > 0x20:
            classes.setdefault((who, _is_ideograph(code)), []).append(code)
    lines = ["% Written by bookbuild.paper.fallback from the fonts' tables."]
    for number, ((who, ideographs), codes) in enumerate(classes.items()):
        lines += _class_source(number, who, ideographs, codes)
    missing = [c for c in INVISIBLE if not any(c in s for s in has.values())]
    lines += [f'\\catcode"{code:X}=9' for code in missing]
    return "\n".join([*lines, "\\bytes@connect", "\\endinput", ""])
