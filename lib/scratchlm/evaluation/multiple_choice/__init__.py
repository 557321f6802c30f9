"""Questions with given answers: tasks, their documents and their scores."""

from scratchlm.evaluation.multiple_choice.built_in import likelihood_tasks
from scratchlm.evaluation.multiple_choice.core import (
    core_score,
    core_task,
    read_core,
)
from scratchlm.evaluation.multiple_choice.documents import (
    Document,
    Drawn,
    read_documents,
)
from scratchlm.evaluation.multiple_choice.few_shot import prefixes
from scratchlm.evaluation.multiple_choice.public_tasks import (
    arc,
    hellaswag,
    lambada,
    mmlu,
)
from scratchlm.evaluation.multiple_choice.scores import TaskScores
from scratchlm.evaluation.multiple_choice.scoring import (
    answered,
    ask,
    graded,
    score_task,
)
from scratchlm.evaluation.multiple_choice.tasks import (
    Asked,
    ChoiceTask,
    ContinuationTask,
    Likelihoods,
    LikelihoodTask,
    SchemaTask,
    Task,
    text_hash,
)
from scratchlm.evaluation.multiple_choice.world_choice import (
    tinyworld_choice,
    world_questions,
)

__all__ = [
    "Asked",
    "ChoiceTask",
    "ContinuationTask",
    "Document",
    "Drawn",
    "LikelihoodTask",
    "Likelihoods",
    "SchemaTask",
    "Task",
    "TaskScores",
    "answered",
    "arc",
    "ask",
    "core_score",
    "core_task",
    "graded",
    "hellaswag",
    "lambada",
    "likelihood_tasks",
    "mmlu",
    "prefixes",
    "read_core",
    "read_documents",
    "score_task",
    "text_hash",
    "tinyworld_choice",
    "world_questions",
]
