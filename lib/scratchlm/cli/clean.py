"""``clean``: documents worth reading."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scratchlm.cli.options import Reading, beside, say, watched

if TYPE_CHECKING:
    from scratchlm.text.cleaning.steps import Step


@dataclass(frozen=True, kw_only=True)
class Clean(Reading):
    """Repair documents, reject bad ones, mask private data.

    The steps are those of the chapter on cleaning: Unicode repair, the rules
    of Gopher and C4, masks for e-mail, phone, IP and card numbers. At the
    end the standard error tells how many documents and bytes each step let
    pass, and how many of each kind were masked.

    Example: python -m scratchlm clean crawl/ --pages --languages en -o
    clean.jsonl.zst
    """

    pages: bool = False
    """the documents are pages of HTML; take the text out of them first"""
    languages: tuple[str, ...] = ()
    """keep these languages alone, such as: en de; rules that know words
    judge by theirs, and by English where no language is named"""
    without: tuple[str, ...] = ()
    """steps to leave out, by the names that the report gives them, such as:
    --without "stop words" "curly brackets" """
    rejected: bool = False
    """write the rejected documents instead, to see what the rules do"""

    def run(self) -> None:
        """Do it."""
        from scratchlm.text.cleaning.pipeline import (  # noqa: PLC0415
            Funnel,
            clean,
        )
        from scratchlm.text.corpora.writing import (  # noqa: PLC0415
            write_records,
        )

        steps = self._steps()
        funnel = Funnel()
        with self.records() as records:
            pairs = beside(
                records,
                lambda texts: clean(
                    watched(texts, "clean", self.progress),
                    steps,
                    funnel=funnel,
                ),
            )
            write_records(
                (
                    record.with_text(outcome.text)
                    for record, outcome in pairs
                    if outcome.kept != self.rejected
                ),
                self.out,
                self.column,
            )
        for name, documents, size in funnel.rows():
            say(f"{name:24} {documents:12,} documents {size:15,} bytes")
        if funnel.changes:
            kinds = (f"{n:,} {kind}" for kind, n in funnel.changes.items())
            say(f"masked in the documents kept: {', '.join(kinds)}")

    def _steps(self) -> "tuple[Step, ...]":
        from scratchlm.text.cleaning.by_language import (  # noqa: PLC0415
            steps_for,
            without_rules,
        )

        languages = self.languages or ("en",)
        left_out = without_rules(languages)
        if left_out:
            say(
                f"these rules cannot judge all of {' '.join(languages)} and "
                f"are left out: {', '.join(left_out)}"
            )
        steps = steps_for(languages, pages=self.pages, without=self.without)
        if not self.languages:
            return steps
        from scratchlm.text.cleaning.languages import (  # noqa: PLC0415
            LanguageStep,
        )

        return (*steps, LanguageStep(codes=self.languages))
