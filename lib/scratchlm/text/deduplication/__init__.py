"""Deduplication: one copy of each document, and none of a test."""

from scratchlm.text.deduplication.buckets import (
    band_keys,
    bucket_links,
    candidate_pairs,
    match_probability,
)
from scratchlm.text.deduplication.clusters import UnionFind
from scratchlm.text.deduplication.decontamination import (
    Contamination,
    Decontaminator,
)
from scratchlm.text.deduplication.exact import drop_repeated_lines, exact_keys
from scratchlm.text.deduplication.minhash import (
    distinct,
    jaccard,
    multipliers,
    sign,
    signatures,
    text_blocks,
)
from scratchlm.text.deduplication.on_ray import deduplicate_dataset
from scratchlm.text.deduplication.pipeline import (
    DedupConfig,
    Deduplicated,
    deduplicate,
)
from scratchlm.text.deduplication.shingles import Shingles, shingle

__all__ = [
    "Contamination",
    "Decontaminator",
    "DedupConfig",
    "Deduplicated",
    "Shingles",
    "UnionFind",
    "band_keys",
    "bucket_links",
    "candidate_pairs",
    "deduplicate",
    "deduplicate_dataset",
    "distinct",
    "drop_repeated_lines",
    "exact_keys",
    "jaccard",
    "match_probability",
    "multipliers",
    "shingle",
    "sign",
    "signatures",
    "text_blocks",
]
