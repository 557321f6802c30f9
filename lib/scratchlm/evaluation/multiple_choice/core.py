"""CORE: many tests of three kinds, each centred by chance, and their mean.

The tests come in one folder, the *bundle*: ``core.yaml`` lists them,
``eval_meta_data.csv`` says what guessing scores, and ``eval_data`` holds a
file of JSON lines for each.
"""

import csv
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from scipy.special import ndtri

from scratchlm.evaluation.multiple_choice.documents import (
    Document,
    read_documents,
)
from scratchlm.evaluation.multiple_choice.scores import TaskScores
from scratchlm.evaluation.multiple_choice.tasks import (
    ChoiceTask,
    ContinuationTask,
    LikelihoodTask,
    SchemaTask,
)
from scratchlm.evaluation.uncertainty.statistics import Interval, checked_level
from scratchlm.foundation.arguments import one_of
from scratchlm.foundation.extras import import_failure

KINDS = ("multiple_choice", "schema", "language_modeling")
_SHUFFLED, _EXAMPLES = 1337, 1234  # nanochat's seeds


class CoreTest(NamedTuple):
    """One test of CORE.

    Args:
        task: what is asked.
        documents: the questions, in the order in which examples are drawn.
    """

    task: LikelihoodTask
    documents: list[Document]


def core_task(
    name: str,
    kind: str,
    *,
    n_examples: int,
    delimiter: str = " ",
    chance: float = 0.0,
) -> LikelihoodTask:
    """Return a task of one of CORE's kinds.

    A choice, and a context of a schema, is right if its continuation is the
    likeliest for each token. Tokens with which all choices begin do not
    count. Examples are drawn for each document.

    Args:
        name: of the task.
        kind: which.
        n_examples: before each document.
        delimiter: between a prompt and what follows it.
        chance: what guessing scores.

    Raises:
        ValueError: the kind is none of these.

    Source: Li et al. 2024, "DataComp-LM", section 3.5, as nanochat scores it.
    """
    one_of("kind", kind, KINDS)
    form: dict[str, Any] = {"sampling": "each", "seed": _EXAMPLES}
    form |= {"name": name, "n_examples": n_examples}
    form |= {"delimiter": delimiter, "chance": chance}
    if kind == "multiple_choice":
        return ChoiceTask(
            columns=("query", "choices", "gold"),
            prompt=lambda d: d["query"],
            choices=lambda d: list(d["choices"]),
            answer=lambda d: int(d["gold"]),
            cut_shared=True,
            metric="acc_tokens",
            **form,
        )
    if kind == "schema":
        return SchemaTask(
            columns=("continuation", "context_options", "gold"),
            prompt=lambda d: d["context_options"][int(d["gold"])],
            contexts=lambda d: list(d["context_options"]),
            continuation=lambda d: d["continuation"],
            answer=lambda d: int(d["gold"]),
            metric="acc_tokens",
            **form,
        )
    return ContinuationTask(
        columns=("context", "continuation"),
        prompt=lambda d: d["context"].strip(),
        target=lambda d: d["continuation"],
        **form,
    )


def read_core(
    bundle: Path, names: Sequence[str] | None = None
) -> list[CoreTest]:
    """Return the tests of a bundle.

    Args:
        bundle: the folder.
        names: which tests; all if None.

    Raises:
        ValueError: a file is missing or does not say what it must, or there
            is no test of a name.
    """
    listed = {each["label"]: each for each in _listed(bundle / "core.yaml")}
    chance = _chance(bundle / "eval_meta_data.csv")
    tests = []
    for name in listed if names is None else names:
        if name not in listed or name not in chance:
            raise ValueError(
                f"{bundle} does not describe a test {name!r}; it has "
                f"{', '.join(sorted(listed.keys() & chance.keys()))}"
            )
        entry = listed[name]
        task = core_task(
            name,
            entry["icl_task_type"],
            n_examples=int(entry["num_fewshot"][0]),
            delimiter=entry.get("continuation_delimiter", " "),
            chance=chance[name],
        )
        path = bundle / "eval_data" / entry["dataset_uri"]
        documents = read_documents(path, task.columns)
        Random(_SHUFFLED).shuffle(documents)
        tests.append(CoreTest(task, documents))
    return tests


def core_score(
    scores: Sequence[TaskScores], *, level: float = 0.95
) -> Interval:
    """Return the mean of tests, each centred by chance.

    The tests are given and not drawn, so the interval says how far other
    questions of the same tests would move the mean.

    Args:
        scores: of each test.
        level: of the interval.

    Raises:
        ValueError: there are none.
    """
    if not scores:
        raise ValueError("there are no scores; give those of one test or more")
    centred = [each.centred() for each in scores]
    value = sum(each.value for each in centred) / len(centred)
    error = sqrt(sum(each.standard_error**2 for each in centred))
    error /= len(centred)
    half = error * float(ndtri((1 + checked_level(level)) / 2))
    return Interval(
        value=value,
        standard_error=error,
        low=value - half,
        high=value + half,
        n=sum(each.n for each in centred),
        level=level,
    )


def _listed(path: Path) -> list[dict[str, Any]]:
    try:
        import yaml  # noqa: PLC0415  (optional)
    except ImportError as error:
        need = "reading core.yaml needs pyyaml"
        raise ValueError(import_failure(need, "data", error)) from error
    try:
        found = yaml.safe_load(_text(path))["icl_tasks"]
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} lists no icl_tasks ({error!r}); unpack the bundle anew"
        ) from None
    needed = {"label", "icl_task_type", "num_fewshot", "dataset_uri"}
    for entry in found:
        if not needed <= set(entry):
            lacks = ", ".join(sorted(needed - set(entry)))
            raise ValueError(
                f"an entry of {path} lacks {lacks}: {str(entry)[:60]}; "
                "unpack the bundle anew"
            )
    return list(found)


def _chance(path: Path) -> dict[str, float]:
    """Return what guessing scores, from percents."""
    rows = list(csv.DictReader(_text(path).splitlines()))
    try:
        return {
            row["Eval Task"]: float(row["Random baseline"]) / 100
            for row in rows
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} does not say what guessing scores ({error!r}); it needs "
            "the columns 'Eval Task' and 'Random baseline', in percent"
        ) from None


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(
            f"there is no {path}; give the folder of CORE's bundle, which "
            "has core.yaml, eval_meta_data.csv and eval_data"
        )
    return path.read_text("utf8")
