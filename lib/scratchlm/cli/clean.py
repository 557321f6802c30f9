"""``clean``: documents worth reading."""

from dataclasses import dataclass

from scratchlm.cli.options import Reading, say, watched


@dataclass(frozen=True, kw_only=True)
class Clean(Reading):
    """Repair documents, reject bad ones, mask private data.

    The steps are those of the chapter on cleaning: Unicode repair, the rules
    of Gopher and C4, masks for e-mail, phone, IP and card numbers. At the
    end the standard error tells how many documents and bytes each step let
    pass.

    Example: python -m scratchlm clean crawl/ --pages --languages en -o
    clean.jsonl.zst
    """

    pages: bool = False
    """the documents are pages of HTML; take the text out of them first"""
    languages: tuple[str, ...] = ()
    """keep these languages alone, such as: en de"""
    rejected: bool = False
    """write the rejected documents instead, to see what the rules do"""

    def run(self) -> None:
        """Do it."""
        from scratchlm.text.cleaning.pipeline import (  # noqa: PLC0415
            DEFAULT_STEPS,
            PAGE_STEPS,
            Funnel,
            clean,
        )
        from scratchlm.text.corpora.texts import write_texts  # noqa: PLC0415

        steps = PAGE_STEPS if self.pages else DEFAULT_STEPS
        if self.languages:
            from scratchlm.text.cleaning.languages import (  # noqa: PLC0415
                LanguageStep,
            )

            steps = (*steps, LanguageStep(codes=self.languages))
        funnel = Funnel()
        texts = watched(self.texts(), "clean", self.progress)
        outcomes = clean(texts, steps, funnel=funnel)
        write_texts(
            (each.text for each in outcomes if each.kept != self.rejected),
            self.out,
            self.column,
        )
        for name, documents, size in funnel.rows():
            say(f"{name:24} {documents:12,} documents {size:15,} bytes")
