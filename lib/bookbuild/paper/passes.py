"""What LaTeX did last time, so that it need not do all of it again.

LaTeX learns from its own files where its pages break: it runs over the book
until they change no more, which from nothing takes several passes. A book of
which little changed has its answers at hand, and a book of which nothing
changed has its PDF.
"""

import hashlib
import json
import shutil
from pathlib import Path

from scratchlm.foundation.durable import write_whole

STAMP = "printed.json"


class Passes:
    """The files of LaTeX in a folder, beside those of Sphinx.

    Args:
        folder: holds the sources.
        name: of the .tex file, without the suffix; LaTeX's files bear it.
    """

    def __init__(self, folder: Path, name: str):
        self.folder = folder
        self.name = name
        self.pdf = folder / f"{name}.pdf"
        self.stamp = folder / STAMP

    def _is_own(self, path: Path) -> bool:
        """Tell whether LaTeX wrote a file, or we did for it."""
        ours = path.stem == self.name or path.name == STAMP
        return ours and path.suffix != ".tex"

    def _state(self) -> dict[str, str]:
        """Hash the sources and the PDF."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not self._is_own(path):
                digest.update(f"{path.relative_to(self.folder)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        pdf = hashlib.sha256(self.pdf.read_bytes()).hexdigest()
        return {"sources": digest.hexdigest(), "pdf": pdf}

    def are_current(self) -> bool:
        """Tell whether the PDF was made of these very sources."""
        if not (self.stamp.is_file() and self.pdf.is_file()):
            return False
        return bool(json.loads(self.stamp.read_text("utf8")) == self._state())

    def begin(self) -> bool:
        """Take away what must be made anew, the mark of success first.

        Returns:
            Whether files of an older run are there to start from.
        """
        older = self.stamp.is_file()
        for path in (self.stamp, self.pdf, self.pdf.with_suffix(".xdv")):
            path.unlink(missing_ok=True)
        return older

    def finish(self) -> None:
        """Mark the PDF as whole, and as one that may go to print."""
        write_whole(self.stamp, json.dumps(self._state()).encode())

    def forget(self) -> None:
        """Remove all that LaTeX wrote."""
        for path in list(self.folder.iterdir()):
            if self._is_own(path):
                path.unlink()

    def hand_on(self, folder: Path) -> None:
        """Copy LaTeX's files beside newer sources, if its last run ended well.

        Args:
            folder: of the newer sources.
        """
        if not self.stamp.is_file():
            return
        for path in self.folder.iterdir():
            if self._is_own(path):
                shutil.copyfile(path, folder / path.name)
