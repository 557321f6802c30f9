"""A quality classifier on disk: numbers and settings in one file."""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from scratchlm.foundation.durable import write_whole

FORMAT = "scratchlm quality classifier"
VERSION = 1


def write_classifier(
    path: Path,
    *,
    weights: Float64[np.ndarray, "columns"],
    bias: float,
    orders: tuple[int, ...],
) -> None:
    """Write the parts of a classifier, whole or not at all.

    Args:
        path: the file.
        weights: one for each place of the feature vector.
        bias: what is added to every score.
        orders: lengths of the n-grams in words.

    Raises:
        ValueError: the folder does not exist, or ``path`` is a folder.
    """
    settings = {
        "format": FORMAT,
        "version": VERSION,
        "bias": bias,
        "orders": list(orders),
        "sha256": _digest(weights),
    }
    about = np.frombuffer(json.dumps(settings).encode(), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, settings=about, weights=weights)
    write_whole(path, file.getvalue())


def read_classifier(
    path: Path,
) -> tuple[Float64[np.ndarray, "columns"], float, tuple[int, ...]]:
    """Read the parts of a classifier: weights, bias and orders.

    Raises:
        ValueError: the file is missing, damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()  # checksums, before anything is parsed
        if bad is not None:
            raise ValueError(f"{bad} in it is damaged")
        # By default it reads arrays of numbers alone, which run no code.
        with np.load(path) as parts:
            settings = json.loads(parts["settings"].tobytes())
            return _checked(settings, np.asarray(parts["weights"]))
    except FileNotFoundError:
        raise ValueError(
            f"there is no {path}; give a file that a classifier was saved to"
        ) from None
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
    ) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{path} is not a classifier that was saved: {what}; copy it "
            "again, or train and save it again"
        ) from error


def _checked(
    settings: dict[str, Any], weights: Any
) -> tuple[Float64[np.ndarray, "columns"], float, tuple[int, ...]]:
    if settings["format"] != FORMAT:
        raise ValueError(f"its format is {settings['format']!r}")
    if settings["version"] != VERSION:
        raise ValueError(
            f"its version is {settings['version']!r}, and this package reads "
            f"version {VERSION}"
        )
    if weights.dtype != np.float64 or weights.ndim != 1 or not len(weights):
        raise ValueError(
            f"its weights are {weights.dtype} of shape {weights.shape}"
        )
    if settings["sha256"] != _digest(weights):
        raise ValueError("its weights were altered")
    bias, orders = float(settings["bias"]), tuple(settings["orders"])
    if not np.isfinite(weights).all() or not np.isfinite(bias):
        raise ValueError("a weight or the bias is not finite")
    if not all(type(n) is int for n in orders):
        raise ValueError(f"its orders are {orders}")
    return weights, bias, orders


def _digest(weights: Float64[np.ndarray, "columns"]) -> str:
    data = np.ascontiguousarray(weights, "<f8").tobytes()
    return hashlib.sha256(data).hexdigest()
