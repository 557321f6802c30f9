"""From folders of runs to a picture, or to one line that says why not."""

import sys

import pytest

from scratchlm.cli.program import main

HEADER = "step,tokens,loss,seconds,held_out\n"


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, loss in (("one", 2.0), ("two", 3.0)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        rows = [
            f"{step},{100 * step},{loss - step / 10},{step / 2},\n"
            for step in range(5)
        ]
        (folder / "log.csv").write_text(HEADER + "".join(rows))
    return tmp_path


def svg_of(capsys, *words):
    assert main(["plot", *words, "-o", "out.svg"]) == 0, capsys.readouterr()
    return capsys.readouterr().err


def test_runs_are_compared_in_one_picture(runs, capsys):
    """A picture under another name, or of one run alone."""
    assert main(["plot", "runs/one", "runs/two/log.csv"]) == 0
    said = capsys.readouterr().err
    assert said == "plot: loss of one, two drawn in curves.png\n"
    assert (runs / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_each_option_reaches_the_picture(runs, capsys):
    """An option that is read and not used."""
    pictures = {}
    for options in (
        *("", "--smooth 3", "--floor 1", "--log", "--x tokens"),
        *("--x seconds", "--column tokens"),
    ):
        svg_of(capsys, "runs/one", "runs/two", *options.split())
        pictures[options] = (runs / "out.svg").read_bytes()
    assert len(set(pictures.values())) == len(pictures)


def test_names_are_as_long_as_they_must_be(runs, capsys):
    """Two curves that are both called small."""
    (runs / "more").mkdir()
    (runs / "runs" / "two").rename(runs / "more" / "one")
    said = svg_of(capsys, "runs/one", "more/one/")
    assert "loss of runs/one, more/one drawn" in said
    (runs / "log.csv").write_text(HEADER + "0,1,2,3,4\n")
    assert f"loss of {runs.name} drawn" in svg_of(capsys, ".")


def test_a_run_that_writes_can_be_drawn(runs, capsys):
    """Half a row at the end, since the run is just writing it."""
    with (runs / "runs" / "one" / "log.csv").open("a") as file:
        file.write("5,500,1.")
    svg_of(capsys, "runs/one")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "nothing to draw; give folders"),
        ("runs", "there is no log runs/log.csv; give the log.csv of a run"),
        ("runs/one runs/none", "there is no log runs/none/log.csv"),
        ("runs/one ./runs/one/", "a folder is given twice"),
        ("runs/one --column lr", "no column lr; it has step, tokens, loss"),
        ("runs/one --column held_out", "held_out of one has no value"),
        ("runs/one --smooth 0", "--smooth is 0; give 1 or more"),
        ("runs/one --floor nan", "--floor is nan; give a finite number"),
        ("runs/one --floor 0 --log", "give a finite number above 0"),
        ("runs/one -o a.gif", "give a file that ends in .png or .svg or"),
        ("runs/one -o no/a.png", "cannot write no/a.png: it has no folder"),
        ("empty", "empty/log.csv has no rows yet"),
        ("broken", "line 2 of broken/log.csv cannot be read"),
    ],
)
def test_a_mistake_is_told_in_one_line(runs, capsys, words, said):
    """A traceback of matplotlib's for a slip in a folder's name."""
    for name, text in (("empty", HEADER), ("broken", f"{HEADER}0,x\n")):
        (runs / name).mkdir()
        (runs / name / "log.csv").write_text(text)
    before = set(runs.rglob("*"))
    assert main(["plot", *words.split()]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert set(runs.rglob("*")) == before


def test_a_missing_library_is_told_with_its_extra(runs, capsys, monkeypatch):
    """ModuleNotFoundError, where one command would help."""
    monkeypatch.delitem(sys.modules, "scratchlm.cli.curves", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plot", "runs/one"]) == 2
    told = capsys.readouterr().err
    assert 'run pip install "scratchlm[plot]"' in told
    assert "needs matplotlib" in told
