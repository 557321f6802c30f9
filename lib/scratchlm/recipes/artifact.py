"""What a recipe made: a model, its tokenizer, and how they came about.

An artifact is a folder that transformers can load, with a manifest beside
it. Shipped ones are in ``book/artifacts`` of the checkout; others are made
where they are wanted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scratchlm.foundation.durable import sha256_of, write_whole
from scratchlm.foundation.machine import commit, processor
from scratchlm.interop.hf.models import load, save
from scratchlm.model.transformer.transformer import Transformer
from scratchlm.recipes.following import follow, samples
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.registry import make
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.training.pretraining.log import read_log
from scratchlm.training.pretraining.loop import LOG, resume
from scratchlm.training.pretraining.state import Training

MANIFEST = "manifest.json"
SHIPPED = Path(__file__).parents[3] / "book" / "artifacts"
MADE = Path.home() / ".cache" / "scratchlm" / "artifacts"
FIRST = 20  # steps whose losses are kept one by one
DRAWN = 300  # points of the curve


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A trained model.

    Args:
        model: in float32, in eval mode.
        tokenizer: the one that it was trained with.
        manifest: recipe, settings, losses and what else is known.
        folder: where it lies.
    """

    model: Transformer
    tokenizer: SubwordTokenizer
    manifest: Mapping[str, Any]
    folder: Path


def artifact(name: str, *, folder: Path | None = None) -> Artifact:
    """Find what a recipe made, or make it.

    Args:
        name: of the recipe.
        folder: where artifacts are and where a new one goes, in a folder of
            its name. If None, those of the checkout are looked at first, and
            a new one goes into ``~/.cache/scratchlm/artifacts``.

    Raises:
        ValueError: there is no such recipe, or a file of the artifact is not
            the one that its manifest names.
    """
    places = [SHIPPED, MADE] if folder is None else [folder]
    for place in places:
        if (place / name / MANIFEST).exists():
            return load_artifact(place / name)
    made = places[-1] / name
    run_folder = made.with_name(f".{name}.run")
    recipe = make(name)
    for _ in follow(recipe, run_folder):
        pass
    publish(recipe, run_folder, made)
    return load_artifact(made)


def load_artifact(folder: Path) -> Artifact:
    """Load what :func:`publish` wrote.

    Args:
        folder: of one artifact.

    Raises:
        ValueError: a file is missing or is not the one that was written.
    """
    manifest = read_manifest(folder)
    for file, known in manifest["sha256"].items():
        path = folder / file
        if not path.is_file() or sha256_of(path) != known:
            raise ValueError(
                f"{path} is not the file that {folder / MANIFEST} names; "
                "restore the folder, or remove it to make it anew"
            )
    loaded = load(folder, dtype=torch.float32)
    assert loaded.tokenizer is not None
    return Artifact(
        model=loaded.model.eval(),
        tokenizer=loaded.tokenizer,
        manifest=manifest,
        folder=folder,
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what is known about an artifact, without loading it.

    Args:
        folder: of one artifact.

    Raises:
        ValueError: there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf8"))
    except FileNotFoundError:
        raise ValueError(
            f"there is no {path}; give the folder of an artifact"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if (
        not isinstance(manifest, dict)
        or not isinstance(manifest.get("recipe"), str)
        or not isinstance(manifest.get("sha256"), dict)
    ):
        raise ValueError(f"{path} names no recipe or no files")
    return manifest


def publish(
    recipe: Recipe,
    run_folder: Path,
    folder: Path,
    *,
    dtype: torch.dtype = torch.float16,
) -> dict[str, Any]:
    """Write the model of a finished run as an artifact.

    What is reported is measured on the weights as they are written.

    Args:
        recipe: of the run.
        run_folder: that :func:`scratchlm.recipes.following.follow` filled.
        folder: to write into.
        dtype: of the weights in the file.

    Returns:
        The manifest.

    Raises:
        ValueError: the run is not finished.
    """
    training = Training(recipe.run)
    resume(training, run_folder)
    if training.step < recipe.run.n_steps:
        raise ValueError(
            f"the run in {run_folder} has done {training.step} of "
            f"{recipe.run.n_steps} steps; resume it first"
        )
    tokenizer = recipe.tokenizer()
    model = training.model.to("cpu", dtype)
    save(model, tokenizer, folder)
    model.to(torch.float32).eval()
    files = sorted(p for p in folder.iterdir() if p.name != MANIFEST)
    manifest = {
        "recipe": recipe.name,
        "settings": recipe.run.about(),
        "commit": commit(Path(__file__).parent),
        "date": datetime.now(UTC).date().isoformat(),
        "device": _device(training.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "seconds": round(training.seconds),
        "tokens": training.tokens,
        "skipped": training.skipped,
        **_curves(run_folder),
        "samples": samples(run_folder),
        "report": recipe.report(model, tokenizer) if recipe.report else {},
        "sha256": {path.name: sha256_of(path) for path in files},
    }
    data = json.dumps(manifest, indent=1).encode() + b"\n"
    write_whole(folder / MANIFEST, data)
    return manifest


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor()


def _curves(run_folder: Path) -> dict[str, Any]:
    """Return the first losses, and the curves that a page draws."""
    log = read_log(run_folder / LOG)
    n_steps = len(log["step"])
    some = range(0, n_steps, max(1, n_steps // DRAWN))
    asked = np.flatnonzero(np.isfinite(log["held_out"])).tolist()
    return {
        "first_losses": [float(x) for x in log["loss"][:FIRST]],
        "losses": [
            [int(log["tokens"][i]), float(log["loss"][i])] for i in some
        ],
        "held_out": [
            [int(log["tokens"][i]), float(log["held_out"][i])] for i in asked
        ],
    }
