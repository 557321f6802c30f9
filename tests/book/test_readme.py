import re
import shlex
from pathlib import Path

import pytest

from scratchlm.cli.program import main
from scratchlm.text.shards.reading import TokenShards
from scratchlm.text.tokenizer.bpe import BPETokenizer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    """The first code that a visitor copies fails."""
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) == 2
    monkeypatch.chdir(tmp_path)
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("line| ")
    assert (tmp_path / "tokenizer" / "tokenizer.json").is_file()


def commands(n=0):
    """The commands of one block."""
    blocks = re.findall(r"```sh\n(python -m .*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    return re.findall(r"^python -m scratchlm (.+)$", blocks[n], re.MULTILINE)


@pytest.mark.slow  # the plans of all recipes
def test_the_commands_from_a_recipe_to_a_model_run(tmp_path, monkeypatch):
    """A recipe whose options were renamed after the page was written. A
    smaller model has the same options."""
    lines = commands(1)
    assert len(lines) == 5
    assert lines[1].endswith("--n-steps 1200")
    lines[1] = lines[1].replace("1200", "4 --megabytes 0.3 --d-model 64")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert main(shlex.split(line)) == 0
    assert (tmp_path / "run/model/model.safetensors").is_file()
    assert (tmp_path / "loss.svg").is_file()


@pytest.mark.untraced
def test_the_commands_from_text_to_shards_run(tmp_path, monkeypatch):
    """A pipeline whose options were renamed after the page was written. A
    smaller corpus has the same options."""
    lines = commands()
    assert len(lines) == 4
    assert "--megabytes 5 " in lines[0]
    lines[0] = lines[0].replace("--megabytes 5 ", "--megabytes 1 ")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert main(shlex.split(line)) == 0
    assert len(TokenShards("shards", BPETokenizer.load("tok"))) > 1000


def test_the_command_that_plans_runs(capsys):
    """A model or a chip that was renamed after the page was written."""
    (line,) = commands(2)
    assert main(shlex.split(line)) == 0
    assert "dp 64" in capsys.readouterr().out


def test_the_command_that_launches_runs(capsys, monkeypatch, tmp_path):
    """A script for a recipe, a mesh or an option of another name."""
    monkeypatch.chdir(tmp_path)
    (line,) = commands(3)
    assert main(shlex.split(line)) == 0
    assert "#SBATCH --nodes=2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path",
    re.findall(
        r"`((?:benchmarks|book|findings|lib|tests)/[\w/.]*)`|"
        r"\]\((book/[\w/.]+)\)",
        README,
    ),
)
def test_every_path_exists(path):
    """A file that moved, or a picture that nobody sees."""
    assert (ROOT / max(path)).exists()


def test_every_make_target_exists():
    """A command of the front page that make does not know."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
