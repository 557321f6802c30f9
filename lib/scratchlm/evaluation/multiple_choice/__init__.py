"""Questions with given answers: tasks, their documents and their scores."""

from scratchlm.evaluation.multiple_choice.documents import (
    Document,
    Drawn,
    read_documents,
)
from scratchlm.evaluation.multiple_choice.few_shot import prefixes
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
    "ask",
    "graded",
    "prefixes",
    "read_documents",
    "score_task",
    "text_hash",
]
