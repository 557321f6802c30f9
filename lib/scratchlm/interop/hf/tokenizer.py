"""The tokenizer that is published with a model."""

import warnings
from pathlib import Path

from scratchlm.interop.files import read_settings
from scratchlm.interop.tokenizers.loading import (
    has_tokenizer,
    load_tokenizer,
)
from scratchlm.text.tokenizer.base import SubwordTokenizer
from scratchlm.text.tokenizer.file import FILE


def read_tokenizer(folder: Path) -> SubwordTokenizer | None:
    """Return the tokenizer that lies beside a model.

    Args:
        folder: holds ``tokenizer.json``, GPT-2's two files, or
            ``tokenizer.model``.

    Returns:
        None if there is none, or one that does what no tokenizer of this
        package does; then a warning says what, and the model is as good.

    Raises:
        ValueError: ``tokenizer.json`` is not JSON.
    """
    if not has_tokenizer(folder):
        return None
    if (folder / FILE).is_file():
        read_settings(folder / FILE)
    try:
        return load_tokenizer(folder)
    except ValueError as error:
        warnings.warn(str(error), stacklevel=3)
        return None
