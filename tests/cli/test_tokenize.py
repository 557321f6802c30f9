"""Shards from documents, with a tokenizer that is there or is made."""

import random
import shutil
import subprocess
import sys
import time

from scratchlm.cli.program import main
from scratchlm.text.bpe import BPETokenizer
from scratchlm.text.corpora import python_docs, write_texts
from scratchlm.text.shards import TokenShards


def run(tmp_path, *options):
    folder = str(tmp_path / "shards")
    path = str(tmp_path / "in.jsonl")
    common = ["--no-progress", "--workers", "1"]
    return main(["tokenize", path, "-o", folder, *common, *options])


def test_a_tokenizer_is_trained_once_and_then_loaded(tmp_path, capsys):
    """A second run that trains anew, on other text, and mixes two
    vocabularies in one folder."""
    texts = list(python_docs(60_000))
    write_texts(texts, tmp_path / "in.jsonl")
    where = ["--tokenizer", str(tmp_path / "tok")]
    assert run(tmp_path, *where) == 2
    assert "tokenizer.json" in capsys.readouterr().err
    trained = [*where, "--vocab-size", "400"]
    assert run(tmp_path, *trained) == 0
    tok = BPETokenizer.load(tmp_path / "tok")
    shards = TokenShards(tmp_path / "shards", tok)
    ids = [tok.encode(text) for text in texts]
    end = tok.special_tokens["<|endoftext|>"]
    assert [list(each) for each in shards] == [[*each, end] for each in ids]
    made = (tmp_path / "tok" / "tokenizer.json").stat().st_mtime_ns
    assert run(tmp_path, *trained) == 0
    assert run(tmp_path, *where) == 0
    assert made == (tmp_path / "tok" / "tokenizer.json").stat().st_mtime_ns
    assert run(tmp_path, *where, "--vocab-size", "500") == 2
    assert "holds a tokenizer of 400" in capsys.readouterr().err


def test_other_documents_are_refused(tmp_path, capsys):
    """Shards of two corpora under one manifest."""
    write_texts(["one " * 50], tmp_path / "in.jsonl")
    options = ["--tokenizer", str(tmp_path / "tok"), "--vocab-size", "260"]
    assert run(tmp_path, *options) == 0
    write_texts(["two " * 50], tmp_path / "in.jsonl")
    assert run(tmp_path, *options) == 2
    assert "Traceback" not in capsys.readouterr().err


def bytes_of(folder):
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if not path.name.startswith(".")
    }


def test_a_kill_and_the_same_command_give_the_same_bytes(tmp_path):
    """Hours of work lost, or worse, a shard that was half written and is
    taken for whole."""
    texts = list(python_docs(400_000))
    write_texts(texts, tmp_path / "in.jsonl")
    tok = BPETokenizer.train(texts, 400, special_tokens=["<|endoftext|>"])
    tok.save(tmp_path / "tok")
    command = [
        *(sys.executable, "-m", "scratchlm", "tokenize"),
        *(str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "shards")),
        *("--tokenizer", str(tmp_path / "tok"), "--no-progress"),
        *("--workers", "1", "--shard-tokens", "5000"),
    ]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    whole = time.perf_counter() - start
    expected = bytes_of(tmp_path / "shards")
    assert len(expected) > 10
    shutil.rmtree(tmp_path / "shards")
    rng = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.0) * whole)
        process.kill()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    assert bytes_of(tmp_path / "shards") == expected
