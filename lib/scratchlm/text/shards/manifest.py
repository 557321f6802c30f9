"""What a folder of shards holds, in one file.

The manifest is the truth: a file that it does not name does not count, and a
file that it names is finished.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Integer

from scratchlm.foundation.durable import sha256_of, write_whole

Ids: TypeAlias = Integer[np.ndarray, "_"]

MANIFEST = "manifest.json"
FORMAT = "scratchlm token shards"
VERSION = 1
OFFSET_BYTES = 8


@runtime_checkable
class Tokenizer(Protocol):
    """What shards need of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """One more than the highest id."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that determines the output."""

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The id of each special token."""

    def encode_arrays(self, texts: Sequence[str]) -> Sequence[Ids]:
        """The ids of each text; special tokens in them are plain text."""


@dataclass(frozen=True, kw_only=True)
class ShardConfig:
    """How documents become shards.

    Args:
        shard_tokens: a shard ends behind the document with which it reaches
            this many tokens. A kill costs at most the shard in the making.
        end_of_text: the special token behind each document, so that a model
            learns where documents end; None for none.

    Raises:
        ValueError: ``shard_tokens`` is below 1.
    """

    shard_tokens: int = 1 << 25
    end_of_text: str | None = "<|endoftext|>"

    def __post_init__(self) -> None:
        if self.shard_tokens < 1:
            raise ValueError(
                f"shard_tokens is {self.shard_tokens}; give 1 or more"
            )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All but the documents that determines the bytes of the shards.

    Args:
        dtype: ``<u2`` or ``<u4``: unsigned, little-endian, 2 or 4 bytes.
        vocab_size: one more than the highest id.
        tokenizer: its fingerprint.
        end_of_text: the special token behind each document, or None.
        end_id: its id, or None.
        shard_tokens: as in :class:`ShardConfig`.
    """

    dtype: str
    vocab_size: int
    tokenizer: str
    end_of_text: str | None
    end_id: int | None
    shard_tokens: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, config: ShardConfig) -> "Settings":
        """Derive them.

        Raises:
            ValueError: the tokenizer lacks the token that ends a document.
        """
        end, special = config.end_of_text, tokenizer.special_tokens
        if end is not None and end not in special:
            raise ValueError(
                f"the tokenizer has no special token {end!r} to put behind "
                f"each document; it has {sorted(special)}. Train it with "
                f"special_tokens=[{end!r}], or name one that it has as "
                "end_of_text, or give end_of_text=None"
            )
        # The highest id is vocab_size - 1, and two bytes reach 65,535.
        return cls(
            dtype="<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4",
            vocab_size=tokenizer.vocab_size,
            tokenizer=tokenizer.fingerprint,
            end_of_text=end,
            end_id=None if end is None else special[end],
            shard_tokens=config.shard_tokens,
        )

    @property
    def token_bytes(self) -> int:
        """Bytes of one token."""
        return int(self.dtype[-1])


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard's two files.

    Args:
        tokens: the name of the file of tokens.
        offsets: the name of the file that says where each document begins.
        n_documents: documents in it.
        n_tokens: tokens in it.
        tokens_sha256: of the file of tokens.
        offsets_sha256: of the file of offsets.
        documents_sha256: of the sha256 of each document's text, in order.
    """

    tokens: str
    offsets: str
    n_documents: int
    n_tokens: int
    tokens_sha256: str
    offsets_sha256: str
    documents_sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The finished shards of a folder.

    Args:
        settings: what they were made with.
        shards: in the order of their documents.
        complete: no document is missing.
    """

    settings: Settings
    shards: tuple[Shard, ...] = ()
    complete: bool = False

    @property
    def n_documents(self) -> int:
        """Documents in all shards."""
        return sum(shard.n_documents for shard in self.shards)

    @property
    def n_tokens(self) -> int:
        """Tokens in all shards."""
        return sum(shard.n_tokens for shard in self.shards)

    def with_shard(self, shard: Shard) -> "Manifest":
        """The same with one more shard."""
        return replace(self, shards=(*self.shards, shard))

    def files(self) -> list[tuple[str, int, str]]:
        """Name, size in bytes and sha256 of each file."""
        size = self.settings.token_bytes
        return [
            entry
            for s in self.shards
            for entry in (
                (s.tokens, s.n_tokens * size, s.tokens_sha256),
                (
                    s.offsets,
                    (s.n_documents + 1) * OFFSET_BYTES,
                    s.offsets_sha256,
                ),
            )
        ]

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, whole or not at all."""
        document = {"format": FORMAT, "version": VERSION} | asdict(self)
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / MANIFEST, text.encode())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a folder.

        Raises:
            ValueError: the file is missing, corrupt, or of another format;
                the message names it.
        """
        path = folder / MANIFEST
        try:
            document = json.loads(path.read_bytes())
            return _parse(cls, document)
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(
                f"there is no {path}; give a folder that write_shards wrote"
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else error
            raise ValueError(
                f"{path} is not a manifest of token shards: {what}; write "
                "the shards again, into an empty folder"
            ) from error


def _parse(cls: type[Manifest], document: Any) -> Manifest:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if document["version"] != VERSION:
        raise ValueError(
            f"its version is {document['version']}, and this package reads "
            f"version {VERSION}"
        )
    manifest = cls(
        settings=Settings(**_only(Settings, document["settings"])),
        shards=tuple(Shard(**_only(Shard, s)) for s in document["shards"]),
        complete=document["complete"] is True,
    )
    if manifest.settings.dtype not in ("<u2", "<u4"):
        raise ValueError(f"its dtype is {manifest.settings.dtype!r}")
    for number, shard in enumerate(manifest.shards):
        if (shard.tokens, shard.offsets) != file_names(number):
            raise ValueError(f"shard {number} is called {shard.tokens!r}")
    return manifest


def _only(cls: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    return {field.name: values[field.name] for field in fields(cls)}


def file_names(number: int) -> tuple[str, str]:
    """The names of a shard's files: tokens, offsets."""
    return f"shard-{number:05}.tokens", f"shard-{number:05}.offsets"


def check_files(folder: Path, manifest: Manifest, *, verify: bool) -> None:
    """Compare the files of a folder with its manifest.

    Args:
        folder: where they are.
        manifest: what they should be.
        verify: compare hashes too, which reads every byte.

    Raises:
        ValueError: a file is missing, truncated or altered, by its name.
    """
    remedy = "copy it again, or write the shards again into an empty folder"
    for name, size, sha256 in manifest.files():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{path} is missing; {remedy}")
        found = path.stat().st_size
        if found != size:
            raise ValueError(
                f"{path} has {found} bytes, and {MANIFEST} says {size}: it "
                f"was truncated or is another file; {remedy}"
            )
        if verify and sha256_of(path) != sha256:
            raise ValueError(
                f"{path} was altered: its sha256 is not that of {MANIFEST}; "
                f"{remedy}"
            )
