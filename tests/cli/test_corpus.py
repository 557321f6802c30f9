"""Each source, as long as asked, the same each time."""

import pytest

from scratchlm.cli.program import main
from scratchlm.text.corpora import public_data
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.corpora.texts import read_texts, write_texts


def texts_of(tmp_path, *options):
    out = tmp_path / "out.jsonl"
    assert main(["corpus", *options, "-o", str(out), "--no-progress"]) == 0
    return list(read_texts(out))


def test_the_size_is_a_limit(tmp_path):
    """A limit in documents, or one that is overshot."""
    texts = texts_of(tmp_path, "python-docs", "--megabytes", "0.1")
    assert texts == list(python_docs(100_000))
    source = texts_of(tmp_path, "python-source", "--megabytes", "0.2")
    assert 50_000 < sum(len(text.encode()) for text in source) <= 200_000


def test_the_seed_chooses_the_documents(tmp_path):
    """A seed that is read and not used: test data equal to training data."""
    first, same, other = (
        texts_of(tmp_path, "tinyworld", "--megabytes", "0.05", "--seed", seed)
        for seed in ["1", "1", "2"]
    )
    assert first == same
    assert first[:9] != other[:9]


def test_local_data_comes_from_the_variable(tmp_path, monkeypatch):
    """A machine without a network that cannot use what it has."""
    (tmp_path / "tinystories").mkdir()
    write_texts(["one", "two"], tmp_path / "tinystories" / "a.jsonl")
    play = tmp_path / "tinyshakespeare.txt"
    play.write_text("To be")
    monkeypatch.setenv("SCRATCHLM_DATA", str(tmp_path))
    assert texts_of(tmp_path, "tinystories") == ["one", "two"]
    out = str(tmp_path / "x.jsonl")
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(["corpus", "shakespeare", "-o", out, *cache]) == 2
    monkeypatch.setattr(
        public_data.Download, "_checked", lambda self, path: path
    )
    assert texts_of(tmp_path, "shakespeare", *cache) == ["To be"]


def test_a_limit_below_the_first_document_is_said(tmp_path, capsys):
    """An empty file, and no word about why."""
    out = tmp_path / "out.jsonl"
    tiny = ["--megabytes", "0.000001", "--no-progress"]
    assert main(["corpus", "python-docs", "-o", str(out), *tiny]) == 2
    assert "first document" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf"])
def test_an_impossible_size_is_refused(tmp_path, size):
    """No text at all, or a disk full of it."""
    out = str(tmp_path / "out.jsonl")
    arguments = ["corpus", "python-docs", f"--megabytes={size}", "-o", out]
    assert main(arguments) == 2
