"""What each stage of the check took, told at its end."""

import sys

import pytest

from bookbuild import budget


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_table_names_what_is_over_its_budget():
    """A check that grows by a minute a week has no stage to blame."""
    budget.record("tests", 1600.0)
    budget.record("lint", 5.0)
    assert budget.report(budget.recorded()) == (
        "stage      seconds  budget\n"
        "lint             5     25%\n"
        "tests         1600    200%\n"
        "total         1605     59%\n"
        "over budget: tests"
    )


def test_within_the_budget_nothing_is_named():
    """An alarm that always sounds is not heard."""
    assert "over" not in budget.report({"lint": 5.0})


def test_the_budgets_are_those_of_the_plan():
    """Forty-five minutes on a fast machine, for the whole book."""
    assert sum(budget.BUDGETS.values()) == 45 * 60


def test_a_program_is_timed_and_ends_as_it_would():
    """A failing stage that is timed must still fail the check."""
    program = [sys.executable, "-c", "raise SystemExit(3)"]
    assert budget.main(["run", "lint", "--", *program]) == 3
    assert budget.recorded() == {}
    assert budget.main(["run", "lint", "--", sys.executable, "-c", ""]) == 0
    assert 0 < budget.recorded()["lint"] < 60


def test_wrong_words_are_told(capsys):
    """A misspelt stage would be missing from the table."""
    assert budget.main(["walk", "lint"]) == 2
    assert "usage" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no stage 'lunt'; there are: inst"):
        budget.record("lunt", 1.0)


def test_the_table_is_printed(capsys):
    """As the last thing that the check says."""
    budget.record("pdf", 90.0)
    assert budget.main([]) == 0
    assert "pdf             90     50%" in capsys.readouterr().out
