"""Shards: tokens on disk, and batches out of them."""

from scratchlm.text.shards.batches import BatchConfig, Batches
from scratchlm.text.shards.holding_out import held_out
from scratchlm.text.shards.in_memory import ArrayRows, MemoryTokens
from scratchlm.text.shards.manifest import Manifest, ShardConfig
from scratchlm.text.shards.mixture import Mixture
from scratchlm.text.shards.packing import best_fit, document_mask
from scratchlm.text.shards.reading import TokenShards
from scratchlm.text.shards.rows import (
    IGNORED,
    Batch,
    ChoppedRows,
    PackedRows,
    cut_long,
)
from scratchlm.text.shards.shuffle import mix, shuffled
from scratchlm.text.shards.token_maps import TokenMaps
from scratchlm.text.shards.writing import write_shards

__all__ = [
    "IGNORED",
    "ArrayRows",
    "Batch",
    "BatchConfig",
    "Batches",
    "ChoppedRows",
    "Manifest",
    "MemoryTokens",
    "Mixture",
    "PackedRows",
    "ShardConfig",
    "TokenMaps",
    "TokenShards",
    "best_fit",
    "cut_long",
    "document_mask",
    "held_out",
    "mix",
    "shuffled",
    "write_shards",
]
