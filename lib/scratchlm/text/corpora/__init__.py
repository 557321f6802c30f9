"""Corpora: text from the interpreter, from files and from public data."""

from scratchlm.text.corpora.interpreter import python_docs, python_source
from scratchlm.text.corpora.public_data import (
    FINEWEB_EDU,
    GPT2_MERGES,
    GPT2_VOCAB,
    HUB_DATASETS,
    TINY_SHAKESPEARE,
    TINYSTORIES,
    Download,
    HubDataset,
    data_folder,
)
from scratchlm.text.corpora.texts import read_texts, take_bytes, write_texts

__all__ = [
    "FINEWEB_EDU",
    "GPT2_MERGES",
    "GPT2_VOCAB",
    "HUB_DATASETS",
    "TINYSTORIES",
    "TINY_SHAKESPEARE",
    "Download",
    "HubDataset",
    "data_folder",
    "python_docs",
    "python_source",
    "read_texts",
    "take_bytes",
    "write_texts",
]
