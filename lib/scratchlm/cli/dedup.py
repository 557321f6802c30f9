"""``dedup``: each document once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scratchlm.cli.options import Reading, beside, say

if TYPE_CHECKING:
    from scratchlm.text.corpora.records import Record


@dataclass(frozen=True, kw_only=True)
class Dedup(Reading):
    """Keep one of each group of equal and nearly equal documents.

    Reads its input twice; the standard input is kept on disk in between.

    Example: python -m scratchlm dedup clean.jsonl.zst -o unique.parquet
    """

    near: bool = True
    """drop near-duplicates (MinHash), not only equal texts"""
    verify: bool = False
    """compare candidates exactly; needs 16 bytes of memory a word"""
    threshold: float = 0.75
    """with --verify: the Jaccard similarity from which on two are one"""
    keep: Literal["first", "longest"] = "first"
    """which document of a group stays"""
    lines: bool = False
    """also drop lines that an earlier document has"""
    against: tuple[str, ...] = ()
    """files with the questions of a test; drop documents that quote one"""
    workers: int | None = None
    """processes; None takes one per core"""

    def run(self) -> None:
        """Do it."""
        from scratchlm.text.corpora.writing import (  # noqa: PLC0415
            write_records,
        )
        from scratchlm.text.deduplication.pipeline import (  # noqa: PLC0415
            DedupConfig,
            deduplicate,
        )

        config = DedupConfig(
            near=self.near,
            verify=self.verify,
            threshold=self.threshold,
            keep=self.keep,
        )
        with self.twice() as again:
            found = deduplicate(
                (record.text for record in again()),
                config,
                workers=self.workers,
                progress=self.progress,
            )
            kept = set(found.kept.tolist())
            records = (each for i, each in enumerate(again()) if i in kept)
            write_records(self._further(records), self.out, self.column)
        report = found.report
        say(
            f"dedup: {report.kept:,} of {report.documents:,} documents kept; "
            f"{report.exact:,} were equal to another, {report.near:,} nearly"
        )

    def _further(self, records: Iterator["Record"]) -> Iterator["Record"]:
        from scratchlm.foundation.parallel import batches  # noqa: PLC0415
        from scratchlm.text.corpora.texts import read_texts  # noqa: PLC0415
        from scratchlm.text.deduplication import (  # noqa: PLC0415
            decontamination,
            exact,
        )

        if self.lines:
            pairs = beside(records, exact.drop_repeated_lines)
            records = (
                record.with_text(part.text)
                for record, part in pairs
                if part.text
            )
        if not self.against:
            return records
        items = read_texts(self.against, self.column)
        tests = decontamination.Decontaminator(items)

        def bad(texts: Iterator[str]) -> Iterator[bool]:
            for batch in batches(texts):
                yield from tests.contaminated(batch).tolist()

        return (each for each, quotes in beside(records, bad) if not quotes)
