"""From a model and a cluster to a table of meshes, or to one line."""

import pytest

from scratchlm.cli.program import main


def told(capsys, *words):
    code = main(["plan", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_readme_s_command_prints_meshes(capsys):
    """A plan without its memory, or the same mesh in every line."""
    words = [
        "--model",
        "llama3-8b",
        "--gpus",
        "64",
        "--gpu",
        "h100",
        "--top",
        "3",
    ]
    code, out, err = told(capsys, *words)
    assert (code, err) == (0, "")
    first, second, header, *lines = out.splitlines()
    assert "8.0 billion parameters, 256 rows of 8192 tokens" in first
    assert "refused" in second
    assert header.split()[:4] == ["mesh", "ZeRO", "recompute", "rows"]
    assert lines[0].startswith("dp 64 ")
    assert lines[3].startswith("the first, dp 64")
    assert "waiting" in lines[4] or "computing" in lines[4]
    assert "weights" in lines[5]
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--model llama3-405b", "no mesh fits"),
        ("--model nothing", "model is 'nothing'"),
        ("--gpu tpu", "chip is 'tpu'"),
        ("--gpus 12", "do not fill nodes of 8; take 8"),
        ("--precision int1", "precision is 'int1'"),
        ("--top 0", "top is 0"),
        ("--precision float32 --model llama3-70b --gpu v100", "no mesh fits"),
    ],
)
def test_a_mistake_is_one_line(capsys, words, message):
    """A traceback, or a plan for something else."""
    code, out, err = told(capsys, *words.split())
    assert (code, out) == (2, "")
    assert err.startswith("scratchlm: ")
    assert err.count("\n") == 1
    assert message in err


def test_rows_and_tokens_reach_the_plan(capsys):
    """Options that are read and not used."""
    words = [
        "--model",
        "gpt2-124m",
        "--gpus",
        "1",
        "--rows",
        "6",
        "--tokens",
        "512",
    ]
    code, out, _ = told(capsys, *words)
    assert code == 0
    assert "6 rows of 512 tokens" in out
    assert "one process" in out
