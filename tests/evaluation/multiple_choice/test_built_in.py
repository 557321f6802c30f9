"""Names that lead to tasks."""

from scratchlm.evaluation.multiple_choice.built_in import likelihood_tasks


def test_names_are_the_tasks_own():
    """A task that is listed under another name than its scores have."""
    tasks = likelihood_tasks()
    assert {"mmlu", "arc_challenge", "hellaswag", "lambada_openai"} < set(
        tasks
    )
    assert {"tinyworld_choice", "tinyworld_choice_letter"} < set(tasks)
    assert all(name == task.name for name, task in tasks.items())
    assert all(task.source is not None for task in tasks.values())
