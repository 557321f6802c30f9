"""The tasks that have names, for a command line."""

from collections.abc import Mapping

from scratchlm.evaluation.multiple_choice.public_tasks import public_tasks
from scratchlm.evaluation.multiple_choice.tasks import LikelihoodTask
from scratchlm.evaluation.multiple_choice.world_choice import tinyworld_choice


def likelihood_tasks() -> Mapping[str, LikelihoodTask]:
    """Return all tasks with given answers, by name."""
    ours = [tinyworld_choice(form) for form in ("text", "listed", "letter")]
    return {**public_tasks(), **{task.name: task for task in ours}}
