"""Pages of HTML to text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scratchlm.foundation.extras import import_failure
from scratchlm.text.cleaning.c4 import LineRule
from scratchlm.text.cleaning.html_bytes import decode_html
from scratchlm.text.cleaning.steps import Rejection


def html_to_text(html: str | bytes, declared: str | None = None) -> str:
    """The main text of a page, without what surrounds it on the screen.

    Empty where the page has none.

    Args:
        html: the source of the page; bytes are decoded as
            :func:`scratchlm.text.cleaning.html_bytes.decode_html` does.
        declared: the encoding of bytes, as the server named it.

    Raises:
        ValueError: trafilatura, or what it imports, is not installed; or
            text is said to have an encoding.

    Source: Barbaresi 2021, "Trafilatura: A Web Scraping Library and
    Command-Line Tool for Text Discovery and Extraction".
    """
    try:
        import trafilatura  # noqa: PLC0415
    except ImportError as error:
        need = "reading HTML needs trafilatura"
        raise ValueError(import_failure(need, "data", error)) from error
    if isinstance(html, bytes):
        html = decode_html(html, declared)
    elif declared is not None:
        raise ValueError(
            f"the page is text already, and declared is {declared!r}; give "
            "bytes, or leave it out"
        )
    return trafilatura.extract(html, include_comments=False) or ""


@dataclass(frozen=True, kw_only=True)
class PageToText:
    """The step that turns a page into its main text, or rejects it."""

    name: str = "main text"

    def __call__(self, text: str) -> str | Rejection:
        """Return the main text of a page of HTML."""
        extracted = html_to_text(text)
        if not extracted:
            return Rejection(reason=f"{self.name}: the page has none")
        return extracted


def recurring_lines(
    pages: Iterable[str], *, min_pages: int = 3, min_share: float = 0.1
) -> frozenset[str]:
    """The lines that so many pages of one site have in common.

    Args:
        pages: the texts of one site; of several sites each needs its call.
        min_pages: pages that a line has to stand on.
        min_share: the same as a share of the site's pages.

    Returns:
        Lines without the space around them.

    Raises:
        ValueError: a line on a single page would count as recurring.
    """
    if min_pages < 2:
        raise ValueError(
            f"min_pages is {min_pages}, but a line recurs on 2 or more"
        )
    counts: Counter[str] = Counter()
    n_pages = 0
    for page in pages:
        n_pages += 1
        counts.update({line.strip() for line in page.split("\n")})
    least = max(min_pages, min_share * n_pages)
    return frozenset(
        line for line, count in counts.items() if line and count >= least
    )


def drop_lines(lines: frozenset[str], name: str = "boilerplate") -> LineRule:
    """The step that drops the given lines wherever they stand alone.

    Args:
        lines: as :func:`recurring_lines` returns them.
        name: what the funnel calls it.
    """
    return LineRule(name=name, keeps=lambda line: line not in lines)


PAGE_TO_TEXT = PageToText()
