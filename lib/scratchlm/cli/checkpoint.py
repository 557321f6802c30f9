"""Models that a command is given by folder or by name."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchlm.cli.train import RUN

if TYPE_CHECKING:
    from scratchlm.model.transformer.transformer import Transformer
    from scratchlm.text.tokenizer.base import SubwordTokenizer

_GENERATION = "generation_config.json"  # where transformers names more ends
_END = "<|endoftext|>"


class Speaker(NamedTuple):
    """What it takes to write.

    Args:
        model: in float32 and eval mode.
        tokenizer: its own.
        begin: the ids that a text begins behind; none where nothing names
            them.
        ends: the ids that end a text.
    """

    model: "Transformer"
    tokenizer: "SubwordTokenizer"
    begin: tuple[int, ...]
    ends: frozenset[int]

    def read(self, prompt: str) -> list[int]:
        """Return the ids of a prompt, behind those that begin a text.

        Args:
            prompt: where special tokens are read as such. It may name what
                begins a text itself, which then is not doubled.

        Raises:
            ValueError: there is nothing to read.
        """
        ids = self.tokenizer.encode(prompt, allowed_special="all")
        if tuple(ids[: len(self.begin)]) != self.begin:
            ids = [*self.begin, *ids]
        if not ids:
            raise ValueError(
                "the prompt is empty, and this model names no token that a "
                "text begins behind; give a --prompt"
            )
        return ids


def find_checkpoint(place: str) -> Path:
    """Return the folder that holds a model.

    Args:
        place: that folder, the folder of a run that has ended, or the name
            of an artifact.

    Raises:
        ValueError: there is no model.
    """
    from scratchlm.interop.files import CONFIG  # noqa: PLC0415

    folder = Path(place)
    for found in (folder, folder / "model", *_artifacts(place)):
        if (found / CONFIG).is_file():
            return found
    if (folder / RUN).is_file():
        raise ValueError(
            f"the run in {folder} has not written its model yet; finish it "
            f"by: python -m scratchlm resume {folder}"
        )
    if folder.exists():
        raise ValueError(
            f"there is no {folder / CONFIG}; give the folder of a model or "
            "of a run"
        )
    raise ValueError(
        f"there is no folder {place}, and no model of this name; the names "
        f"are {', '.join(artifact_names())}"
    )


def artifact_names() -> list[str]:
    """Return the names of models that are shipped, or were made here."""
    return sorted({path.name for path in _all_artifacts()})


def _artifacts(name: str) -> list[Path]:
    return [path for path in _all_artifacts() if path.name == name]


def _all_artifacts() -> Iterator[Path]:
    from scratchlm.recipes.artifact import (  # noqa: PLC0415
        MADE,
        MANIFEST,
        SHIPPED,
    )

    for place in (SHIPPED, MADE):
        for manifest in sorted(place.glob(f"[!.]*/{MANIFEST}")):
            yield manifest.parent


def load_speaker(folder: Path) -> Speaker:
    """Load a model and all that it takes to write with it.

    Where a text begins and ends is said by the tokenizer's file and the
    settings beside the weights; where they name no end, it is the
    tokenizer's ``<|endoftext|>``.

    Args:
        folder: of a model.

    Raises:
        ValueError: it cannot be loaded, or has no tokenizer.
    """
    import torch  # noqa: PLC0415

    from scratchlm.interop.files import (  # noqa: PLC0415
        CONFIG,
        read_settings,
    )
    from scratchlm.interop.hf.models import load  # noqa: PLC0415

    model, tokenizer = load(folder, dtype=torch.float32)
    if tokenizer is None:
        raise ValueError(
            f"{folder} has a model and no tokenizer that can be read; put "
            "the tokenizer.json with which it was trained there"
        )
    settings = read_settings(folder / CONFIG)
    more: Mapping[str, Any] = {}
    if (folder / _GENERATION).is_file():
        more = read_settings(folder / _GENERATION)
    named = {
        key: _ids(settings, key) + _ids(more, key)
        for key in ("bos_token_id", "eos_token_id")
    }
    frame = tokenizer.frame.before
    begin = [tokenizer.special_tokens[name] for name in frame]
    end = tokenizer.special_tokens.get(_END)
    ends = named["eos_token_id"] or ([] if end is None else [end])
    known = range(model.config.vocab_size)
    return Speaker(
        model.eval(),
        tokenizer,
        tuple(i for i in begin or named["bos_token_id"][:1] if i in known),
        frozenset(i for i in ends if i in known),
    )


def _ids(settings: Mapping[str, Any], key: str) -> list[int]:
    """One id, several of them, or none."""
    told = settings.get(key)
    if told is None:
        return []
    return told if isinstance(told, list) else [told]
