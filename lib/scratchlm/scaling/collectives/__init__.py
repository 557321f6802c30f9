"""What ranks say to each other, and the ranks themselves."""

from scratchlm.scaling.collectives.local import (
    RankError,
    Ranks,
    RankTimeout,
    run,
)

__all__ = ["RankError", "RankTimeout", "Ranks", "run"]
