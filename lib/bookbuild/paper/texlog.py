"""What a LaTeX log says about the pages that came of it."""

import re
from dataclasses import dataclass, field

_UNDEFINED = re.compile(
    r"(?:LaTeX|Package \w+) Warning: "
    r"(?:Hyper reference|Reference|Citation) `([^']*)' .*undefined"
)
_DUPLICATE = re.compile(r"LaTeX Warning: Label `([^']*)' multiply defined")
_MISSING = re.compile(
    r"Missing character: There is no (.+) \((U\+\w+)\) in font \[?([^\]/]+)"
)
TOO_WIDE = 10.0  # points; design of the book, not a limit of TeX


@dataclass(kw_only=True)
class LogReport:
    """What a LaTeX log complains of.

    Args:
        error: the first error with its context, empty where there is none.
        undefined: references and citations without a target.
        duplicates: labels that are defined twice.
        missing: characters that a face lacks, with the face.
        wide: boxes more than 10 pt too wide, with page and source lines.
    """

    error: str = ""
    undefined: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wide: list[str] = field(default_factory=list)

    def complaint(self) -> str:
        """Say in words what is wrong; empty when nothing is."""
        parts = [f"first LaTeX error:\n{self.error}"] if self.error else []
        for heading, found in (
            ("undefined references", self.undefined),
            ("labels defined twice", self.duplicates),
            ("characters that no face has", self.missing),
            (f"boxes more than {TOO_WIDE:g} pt too wide", self.wide),
        ):
            if found:
                lines = "\n".join(f"  {line}" for line in found)
                parts.append(f"{heading}:\n{lines}")
        return "\n".join(parts)


def _first_error(lines: list[str]) -> str:
    """Take the first error of a log, down to the source line it names."""
    for start, line in enumerate(lines):
        if not line.startswith("! "):
            continue
        context = lines[start : start + 14]
        for end, text in enumerate(context):
            if re.match(r"l\.\d+ ", text):
                return "\n".join(context[: end + 2]).rstrip()
        return "\n".join(context[:6]).rstrip()
    return ""


def _wide_box(line: str, snippet: str, page: int) -> str | None:
    """Describe a box that is too wide or too high; None where it is fine."""
    found = re.match(r"Overfull \\[hv]box \(([\d.]+)pt too (\w+)\) (.*)", line)
    if found is None or float(found[1]) <= TOO_WIDE:
        return None
    # TeX reports a box before it ships its page.
    words = re.sub(r"\\\S+|\[\]", "", snippet).strip()
    shown = f": {words[:60]}" if words else ""
    return f"page {page + 1}, {found[1]} pt too {found[2]}, {found[3]}{shown}"


def check_log(log: str) -> LogReport:
    """Read a LaTeX log for what must not go to print.

    Args:
        log: the log's text, of a run that did not break its lines
            (max_print_line, which `build_pdf` sets). Page numbers are the
            ones TeX prints as it ships pages, so front matter counts anew.
    """
    lines = log.splitlines()
    report = LogReport(error=_first_error(lines))
    page = 0
    for number, line in enumerate(lines):
        for kind, found in (
            (report.undefined, _UNDEFINED.match(line)),
            (report.duplicates, _DUPLICATE.match(line)),
        ):
            if found and found[1] not in kind:
                kind.append(found[1])
        lacking = _MISSING.match(line)
        # Any face is asked for a space's width; its glyph is never printed.
        if lacking and lacking[2] != "U+0020":
            entry = f"{lacking[1]} ({lacking[2]}) in {lacking[3]}"
            if entry not in report.missing:
                report.missing.append(entry)
        snippet = lines[number + 1] if number + 1 < len(lines) else ""
        wide = _wide_box(line, snippet, page)
        if wide is not None:
            report.wide.append(wide)
        for shipped in re.finditer(r"\[(\d+)(?=[\]\s{<(]|$)", line):
            page = int(shipped[1])
    return report
