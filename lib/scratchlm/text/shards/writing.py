"""Documents to token shards.

Where a shard ends depends on the documents and the settings alone. So a run
that was killed at any point leaves nothing that the same command, run again,
does not turn into the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sized
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from scratchlm.foundation.arguments import not_one_string
from scratchlm.foundation.durable import (
    PARTIAL,
    PartialFile,
    only_writer,
    sync_folder,
)
from scratchlm.foundation.parallel import batches, n_workers, ordered_map
from scratchlm.text.shards.encoding import (
    Encoded,
    cut_full,
    digest_of,
    encode_batch,
)
from scratchlm.text.shards.manifest import (
    MANIFEST,
    OFFSET_BYTES,
    Manifest,
    Settings,
    Shard,
    ShardConfig,
    Tokenizer,
    check_files,
    file_names,
)
from scratchlm.text.shards.reading import TokenShards


def write_shards(  # noqa: PLR0913
    texts: Iterable[str],
    tokenizer: Tokenizer,
    folder: str | Path,
    config: ShardConfig | None = None,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> TokenShards:
    """Encode documents into a folder of shards, or go on where it stopped.

    After a kill, run the same again. Documents of finished shards are read
    and compared, not encoded: a pass at the speed of the source and of
    sha256 over them, and one over the finished files.

    Args:
        texts: the documents, in an order that is the same in each run.
            Special tokens in them are plain text.
        tokenizer: encodes them.
        folder: where; made where it is missing.
        config: how they become shards; None for ``ShardConfig()``.
        workers: processes; None takes one per core. The bytes are the same
            whatever the number.
        progress: show a progress bar.

    Returns:
        The finished shards, opened.

    Raises:
        ValueError: there are no documents; the folder was begun with other
            documents, another tokenizer or other settings; a finished file
            is missing, truncated or altered; another process writes into the
            folder. Nothing that was finished is lost.
    """
    not_one_string(texts)
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder to write into")
    workers = n_workers(workers)
    settings = Settings.of(tokenizer, config or ShardConfig())
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        manifest = _begin(folder, settings)
        total = len(texts) if isinstance(texts, Sized) else None
        with tqdm(total=total, unit=" documents", disable=not progress) as bar:
            documents = iter(texts)
            for number in range(len(manifest.shards)):
                _skip(documents, folder, manifest, number, bar)
            if manifest.complete:
                _refuse_more(documents, folder)
            else:
                encoded = _encode(documents, tokenizer, settings, workers)
                _write_rest(encoded, folder, manifest, bar)
    return TokenShards(folder, tokenizer)


def _begin(folder: Path, settings: Settings) -> Manifest:
    """What the folder holds already; an empty manifest where nothing."""
    for leftover in folder.glob(f"*{PARTIAL}"):
        leftover.unlink()
    if (folder / MANIFEST).exists():
        manifest = Manifest.read(folder)
        if manifest.shards:
            _refuse_changed(folder, manifest.settings, settings)
            check_files(folder, manifest, verify=True)
            return manifest
    elif any(folder.glob("shard-*")):
        raise ValueError(
            f"{folder} holds shards but no {MANIFEST}, so that nothing says "
            "what they are; give an empty folder"
        )
    manifest = Manifest(settings=settings)
    manifest.write(folder)
    return manifest


def _refuse_changed(folder: Path, then: Settings, now: Settings) -> None:
    if then != now:
        names = vars(now)
        changed = [
            f"{name} was {getattr(then, name)!r} and is {getattr(now, name)!r}"
            for name in names
            if getattr(then, name) != getattr(now, name)
        ]
        raise ValueError(
            f"{folder / MANIFEST} was begun with other settings: "
            f"{'; '.join(changed)}. Use the settings of then, or give an "
            "empty folder"
        )


def _skip(
    documents: Iterator[str],
    folder: Path,
    manifest: Manifest,
    number: int,
    bar: "tqdm[NoReturn]",
) -> None:
    """Read the documents of a finished shard, and see that they are those."""
    shard = manifest.shards[number]
    digest = hashlib.sha256()
    n_read = 0
    for text in islice(documents, shard.n_documents):
        digest.update(digest_of(text))
        n_read += 1
        bar.update()
    if digest.hexdigest() != shard.documents_sha256:
        first = sum(s.n_documents for s in manifest.shards[:number])
        what = (
            "differ from those of the first run"
            if n_read == shard.n_documents
            else f"end after {first + n_read}"
        )
        raise ValueError(
            f"the documents changed: {folder / shard.tokens} was made of "
            f"numbers {first} to {first + shard.n_documents - 1}, and now "
            f"they {what}. Give the same documents in the same order, or an "
            "empty folder"
        )


def _refuse_more(documents: Iterator[str], folder: Path) -> None:
    if next(documents, None) is not None:
        raise ValueError(
            f"{folder} is finished, and there are more documents now than "
            "it was made of; write all into an empty folder, or the new ones "
            "into a folder of their own"
        )


def _encode(
    documents: Iterator[str],
    tokenizer: Tokenizer,
    settings: Settings,
    workers: int,
) -> Iterator[Encoded]:
    parts = batches(documents)
    first = list(islice(parts, 2))
    if len(first) < 2:  # done before a process would have started
        workers = 1
    encode = partial(encode_batch, tokenizer, settings)
    return ordered_map(encode, chain(first, parts), workers)


class ShardWriter:
    """A shard in the making.

    Args:
        folder: where its files go.
        number: which shard it is, from 0.
    """

    def __init__(self, folder: Path, number: int):
        self.folder = folder
        self.names = file_names(number)
        self.files = [PartialFile(folder / name) for name in self.names]
        self.digest = hashlib.sha256()
        self.n_documents = 0
        self.n_tokens = 0
        self.files[1].write(bytes(OFFSET_BYTES))

    def add(self, part: Encoded) -> None:
        """Append documents."""
        self.files[0].write(part.tokens.data)
        offsets = (self.n_tokens + part.ends).astype("<u8")
        self.files[1].write(offsets.data)
        self.digest.update(part.digests)
        self.n_documents += len(part.ends)
        self.n_tokens += len(part.tokens)

    def finish(self) -> Shard:
        """Name the files, once the disk has them."""
        hashes = [file.finish() for file in self.files]
        sync_folder(self.folder)
        return Shard(
            tokens=self.names[0],
            offsets=self.names[1],
            n_documents=self.n_documents,
            n_tokens=self.n_tokens,
            tokens_sha256=hashes[0],
            offsets_sha256=hashes[1],
            documents_sha256=self.digest.hexdigest(),
        )

    def discard(self) -> None:
        """Remove what has no name yet."""
        for file in self.files:
            file.discard()


def _write_rest(
    encoded: Iterable[Encoded],
    folder: Path,
    manifest: Manifest,
    bar: "tqdm[NoReturn]",
) -> None:
    """Write the missing shards; the manifest names each when it is whole."""
    writer = ShardWriter(folder, len(manifest.shards))
    try:
        for part in cut_full(encoded, manifest.settings.shard_tokens):
            writer.add(part)
            bar.update(len(part.ends))
            if writer.n_tokens >= manifest.settings.shard_tokens:
                manifest = manifest.with_shard(writer.finish())
                manifest.write(folder)
                writer = ShardWriter(folder, len(manifest.shards))
        if writer.n_documents:
            manifest = manifest.with_shard(writer.finish())
    finally:
        writer.discard()
    if not manifest.shards:
        raise ValueError("there are no documents; nothing was written")
    replace(manifest, complete=True).write(folder)
