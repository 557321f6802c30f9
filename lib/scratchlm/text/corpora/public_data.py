"""Public texts and vocabularies, pinned, so that today's run is last year's.

A name on the web is a promise that somebody may change. A commit hash or a
sha256 is a promise about bytes, and anyone can check it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from scratchlm.foundation.durable import atomic_file
from scratchlm.foundation.extras import import_failure
from scratchlm.text.corpora.records import Record, text_in
from scratchlm.text.corpora.texts import read_records, read_texts

VARIABLE = "SCRATCHLM_DATA"
DOWNLOADED_AT_ONCE = 1 << 16
TIMEOUT = 30.0  # seconds without a byte; guessed


def data_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder that ``SCRATCHLM_DATA`` names, for use without a network.

    Nothing in the package reads the environment by itself: a program asks
    here, once, with ``os.environ``, and passes the folder on.

    Args:
        environ: the variables of the process.

    Returns:
        The folder, or None where the variable is not set.

    Raises:
        ValueError: it names something that is no folder.
    """
    name = environ.get(VARIABLE)
    if not name:
        return None
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(
            f"{VARIABLE} is {name!r}, which is no folder; name the folder "
            "that holds the public data, or unset it"
        )
    return folder


@dataclass(frozen=True, kw_only=True)
class HubDataset:
    """A data set of the Hugging Face Hub at one commit.

    Args:
        name: what the command line and a folder of local data call it.
        repository: owner and name on the Hub.
        revision: the commit. To pin another one, open the data set's page,
            *Files and versions*, *History*, copy the full hash of a commit
            and pass it with ``dataclasses.replace``.
        subset: the configuration, where the data set has several.
        split: which part.
        column: the field of a record that holds the text.
    """

    name: str
    repository: str
    revision: str
    subset: str | None = None
    split: str = "train"
    column: str = "text"

    def texts(self, folder: Path | None = None) -> Iterator[str]:
        """Stream the documents, in the order of the data set.

        Args:
            folder: local data. Where it has a folder called ``name``, the
                files in it are read and no network is used.

        Raises:
            ValueError: a local file is damaged, or the split, the subset or
                the column does not exist.
            ConnectionError: the Hub cannot be reached.
        """
        if folder is not None and (folder / self.name).is_dir():
            return read_texts(folder / self.name, self.column)
        return (record.text for record in self._from_hub())

    def records(self, folder: Path | None = None) -> Iterator[Record]:
        """Stream the documents with the fields beside their texts.

        Args:
            folder: as for :meth:`texts`.

        Raises:
            ValueError: as for :meth:`texts`.
            ConnectionError: the Hub cannot be reached.
        """
        if folder is not None and (folder / self.name).is_dir():
            return read_records(folder / self.name, self.column)
        return self._from_hub()

    def _from_hub(self) -> Iterator[Record]:
        datasets, endpoint = _import_datasets()
        remedy = (
            f"put its {self.split} files (parquet, jsonl or txt) into a "
            f"folder {self.name!r} and name the folder above it in "
            f"{VARIABLE}, or in folder="
        )
        _reach(endpoint, self.repository, remedy)
        try:
            records = datasets.load_dataset(
                self.repository,
                name=self.subset,
                split=self.split,
                revision=self.revision,
                streaming=True,
            )
            for fields in records:
                text = text_in(fields, self.column, self.repository)
                yield Record(text, fields)
        except ConnectionError as error:
            raise _offline(self.repository, error, remedy) from error


TINYSTORIES = HubDataset(
    name="tinystories",
    repository="roneneldan/TinyStories",
    revision="f54c09fd23315a6f9c86f9dc80f725de7d8f9c64",
)
FINEWEB_EDU = HubDataset(
    name="fineweb-edu",
    repository="HuggingFaceFW/fineweb-edu",
    revision="87f09149ef4734204d70ed1d046ddc9ca3f2b8f9",
    subset="sample-10BT",
)
HUB_DATASETS: Mapping[str, HubDataset] = MappingProxyType(
    {each.name: each for each in (TINYSTORIES, FINEWEB_EDU)}
)


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file on the web, known by its bytes.

    Args:
        name: the file's name in the cache.
        url: where it is.
        sha256: of its bytes, in hexadecimal.
        n_bytes: their number.
        local_name: what a folder of local data calls it.
        equivalent: the sha256 of another file that says the same, or ``""``.
    """

    name: str
    url: str
    sha256: str
    n_bytes: int
    local_name: str
    equivalent: str = ""

    def fetch(
        self,
        cache: Path,
        *,
        folder: Path | None = None,
        timeout: float = TIMEOUT,
        progress: bool = True,
    ) -> Path:
        """The path of the file, downloaded if it is not here yet.

        Args:
            cache: the folder that keeps downloads; made if need be.
            folder: local data, looked at first.
            timeout: seconds without an answer before it gives up.
            progress: show a progress bar.

        Raises:
            ValueError: a file does not have the promised bytes. What was
                downloaded is not kept; what was here is not touched.
            ConnectionError: the file is not here and the server cannot be
                reached.
        """
        if folder is not None and (folder / self.local_name).is_file():
            return self._checked(folder / self.local_name)
        path = cache / self.name
        if path.is_file():
            return self._checked(path)
        cache.mkdir(parents=True, exist_ok=True)
        remedy = (
            f"put the file into a folder as {self.local_name!r} and name the "
            f"folder in {VARIABLE}, or in folder="
        )
        try:
            self._download(path, timeout, progress)
        except (URLError, TimeoutError, ConnectionError) as error:
            raise _offline(self.url, error, remedy) from error
        return path

    def _checked(self, path: Path) -> Path:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found not in (self.sha256, self.equivalent):
            raise ValueError(
                f"{path} is not the file it should be: its sha256 is "
                f"{found}, not {self.sha256}; delete it, and the original "
                f"comes from {self.url}"
            )
        return path

    def _download(self, path: Path, timeout: float, progress: bool) -> None:
        digest = hashlib.sha256()
        with (
            urlopen(self.url, timeout=timeout) as answer,
            atomic_file(path) as file,
            tqdm(
                total=self.n_bytes,
                desc=self.name,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            while chunk := answer.read(DOWNLOADED_AT_ONCE):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
            if digest.hexdigest() != self.sha256:
                raise ValueError(
                    f"{self.url} sent {file.tell():,} bytes of sha256 "
                    f"{digest.hexdigest()}, not the {self.n_bytes:,} bytes "
                    f"of {self.sha256}; try again, and if it stays so the "
                    "file has changed"
                )


_SHAKESPEARE = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/"
    "tinyshakespeare/input.txt"
)
# Where tiktoken, OpenAI's own tokenizer, fetches the two files.
_GPT2 = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main"

TINY_SHAKESPEARE = Download(
    name="tinyshakespeare.txt",
    url=_SHAKESPEARE,
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    n_bytes=1_115_394,
    local_name="tinyshakespeare.txt",
)
GPT2_VOCAB = Download(
    name="encoder.json",
    url=f"{_GPT2}/encoder.json",
    sha256="196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    n_bytes=1_042_301,
    local_name="gpt2_vocab.json",
)
GPT2_MERGES = Download(
    name="vocab.bpe",
    url=f"{_GPT2}/vocab.bpe",
    sha256="1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    n_bytes=456_318,
    local_name="gpt2_merges.txt",
    # The same merges without the line "#version: 0.2" above them.
    equivalent=(
        "ac33235097fe06d4a8fff0feac994644809e6eb6ab70669e1e9fd40ae032428e"
    ),
)


def _import_datasets() -> tuple[Any, str]:
    try:
        import datasets  # noqa: PLC0415  (optional)
        from huggingface_hub import constants  # noqa: PLC0415
    except ImportError as error:
        need = "reading from the Hugging Face Hub needs datasets"
        raise ValueError(import_failure(need, "data", error)) from error
    return datasets, str(constants.ENDPOINT)


def _reach(endpoint: str, what: str, remedy: str) -> None:
    """Ask once. The library would ask six times, in half a minute."""
    try:
        urlopen(Request(endpoint, method="HEAD"), timeout=TIMEOUT).close()
    except HTTPError:
        return  # it answered
    except (URLError, TimeoutError, ConnectionError) as error:
        raise _offline(what, error, remedy) from error


def _offline(what: str, error: Exception, remedy: str) -> ConnectionError:
    reason = getattr(error, "reason", error)
    return ConnectionError(
        f"cannot fetch {what}: {reason}. Without a network, {remedy}"
    )
