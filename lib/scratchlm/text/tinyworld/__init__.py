"""TinyWorld: a corpus whose entropy is known."""

from scratchlm.text.tinyworld.config import WorldConfig
from scratchlm.text.tinyworld.grammar import (
    Entity,
    Linked,
    Options,
    read_script,
)
from scratchlm.text.tinyworld.narrator import Document
from scratchlm.text.tinyworld.reading import Reader, Stopped, Verdict
from scratchlm.text.tinyworld.telling import Choices, Teller, Writer
from scratchlm.text.tinyworld.world import TinyWorld

__all__ = [
    "Choices",
    "Document",
    "Entity",
    "Linked",
    "Options",
    "Reader",
    "Stopped",
    "Teller",
    "TinyWorld",
    "Verdict",
    "WorldConfig",
    "Writer",
    "read_script",
]
