"""Each benchmark runs to its end, on inputs too small to measure anything."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
MODEL = (
    "model.py --only eager --dtypes float32 --sizes 7M --shape 1x16"
    " --rounds 1 --starts 1"
)
# The two runs of model.py take longer than five seconds, for each starts three
# processes that import PyTorch and transformers.
SMALL = [
    "inference.py --rows 2 --threads 1 --new-tokens 5 --rounds 1",
    "inference_constrained.py --tokens 600 --rounds 1",
    "kernels.py --interpret",
    "scaling.py --model 0.2M --shape 2x16 --rounds 1 --pipeline-rounds 1"
    " --unit 0.002 --megabytes 1",
    f"{MODEL} --families Llama",
    f"{MODEL} --families GPT-2 --shares",
    "model_claims.py --small",
    "model_packed.py --rounds 1 --mean 9 --shapes 2x24 --dtypes float32",
    "text.py --megabytes 0.02 --rounds 1 --stream-megabytes 1",
    "text_batches.py"
    " --tokens 400000 --rounds 1 --most-steps 3 --documents 10000",
    "text_subwords.py --megabytes 0.02 --vocab-size 1000 --rounds 1",
    "training.py --only autograd loss"
    " --sizes 8x2x4x8 --rounds 1 --loss 64x8x128 --loss-rounds 1",
    "training.py --only shakespeare throughput --seeds 1 --steps 4"
    " --plain-steps 4 --held-out-rows 6 --wanted 9"
    " --models 7M --families Llama --shape 2x16 --model-rounds 1",
    "text_dedup.py --documents 60 --rounds 1",
    "training_mixture.py --small",
    "inference_sampling.py --small",
    "training_scaling.py --small",
    "training_claims.py --small",
]


def run(line, folder):
    script, *arguments = line.split()
    done = subprocess.run(
        [sys.executable, FOLDER / script, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
    return done


def tables(printed):
    """The rows below each heading."""
    headed = re.split(r"^\|(?: --- \|)+\n", printed, flags=re.MULTILINE)[1:]
    return [re.findall(r"^\|.*\|$", part, re.MULTILINE) for part in headed]


def test_no_script_is_left_out():
    """A new benchmark that nothing runs until someone wants its figures."""
    scripts = {path.name for path in FOLDER.glob("[!_]*.py")}
    assert scripts == {line.split()[0] for line in SMALL}


@pytest.mark.slow  # programs that import PyTorch
@pytest.mark.parametrize("line", SMALL)
def test_a_small_run_prints_every_figure_and_table(line, tmp_path):
    """A benchmark that breaks with the interface that it measures, two sides
    whose results are not the same, and a table among the lines of JSON."""
    done = run(f"{line} --json", tmp_path)
    figures = [json.loads(one) for one in done.stdout.splitlines()]
    assert figures
    for figure in figures:
        assert list(figure) == ["what", "ratio", "target", "against"]
        assert figure["ratio"] > 0
        assert figure["target"] is None or figure["target"] > 0
        assert figure["what"]
        assert figure["against"]
    names = [figure["what"] for figure in figures]
    assert len(set(names)) == len(names)
    found = tables(done.stderr)
    assert found
    assert all(found)
    assert not re.search(r"differ|\bnan\b", done.stderr, re.IGNORECASE)


def test_tables_alone_are_printed_unless_asked(tmp_path):
    """Figures for a program, between the rows that a person reads."""
    done = run(SMALL[-1], tmp_path)
    found = tables(done.stdout)
    assert found
    assert all(found)
    assert "{" not in done.stdout
