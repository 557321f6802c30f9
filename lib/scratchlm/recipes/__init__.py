"""Named runs, and the models that they made."""

from scratchlm.recipes.artifact import (
    Artifact,
    artifact,
    load_artifact,
    publish,
    read_manifest,
)
from scratchlm.recipes.plan import Plan, plan
from scratchlm.recipes.recipe import Recipe
from scratchlm.recipes.registry import RECIPES, make
from scratchlm.recipes.world_report import (
    floors,
    held_out_documents,
    right_answers,
    sampled_texts,
    story_verdicts,
    world_report,
)
from scratchlm.recipes.world_text import world_batches, world_tokenizer

__all__ = [
    "RECIPES",
    "Artifact",
    "Plan",
    "Recipe",
    "artifact",
    "floors",
    "held_out_documents",
    "load_artifact",
    "make",
    "plan",
    "publish",
    "read_manifest",
    "right_answers",
    "sampled_texts",
    "story_verdicts",
    "world_batches",
    "world_report",
    "world_tokenizer",
]
