"""Corpora: text from the interpreter, from files and from public data."""

from scratchlm.text.corpora.faults import DataError, Skipped
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
from scratchlm.text.corpora.records import Record
from scratchlm.text.corpora.texts import (
    list_files,
    read_records,
    read_texts,
    take_bytes,
    write_texts,
)
from scratchlm.text.corpora.writing import write_records

__all__ = [
    "FINEWEB_EDU",
    "GPT2_MERGES",
    "GPT2_VOCAB",
    "HUB_DATASETS",
    "TINYSTORIES",
    "TINY_SHAKESPEARE",
    "DataError",
    "Download",
    "HubDataset",
    "Record",
    "Skipped",
    "data_folder",
    "list_files",
    "python_docs",
    "python_source",
    "read_records",
    "read_texts",
    "take_bytes",
    "write_records",
    "write_texts",
]
