"""Shards from documents, with a tokenizer that is there or is made."""

import os
import random
import signal
import sys

import pytest

from scratchlm.cli.program import main
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.corpora.texts import write_texts
from scratchlm.text.shards.reading import TokenShards
from scratchlm.text.subwords.unigram.tokenizer import UnigramTokenizer
from scratchlm.text.subwords.wordpiece.tokenizer import WordPieceTokenizer
from scratchlm.text.tokenizer.bpe import BPETokenizer


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
    assert "there is no" in capsys.readouterr().err
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


def die_after(steps, arguments):
    """Run the command in a child that kills itself after so many calls of
    Python functions; None lets it end.

    Returns:
        How many calls it made, or None if it was killed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        made = 0

        def count(frame, event, argument):
            nonlocal made
            made += event in ("call", "c_call")
            if made == steps:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.setprofile(count)
            code = main(arguments)
            sys.setprofile(None)
            os.write(writing, f"{code} {made}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    code, made = map(int, said.split())
    assert code == 0
    return made


@pytest.mark.slow  # it runs the command some sixty times
def test_a_kill_at_any_point_and_the_same_command_give_the_same_bytes(
    tmp_path,
):
    """Hours of work lost, or worse: a tokenizer or a shard that was half
    written and is taken for whole. Twenty points from the first call to the
    last, and then a point in the run that found what was left."""
    path = tmp_path / "in.jsonl"
    write_texts([doc[:2000] for doc in python_docs(60_000)], path)

    def command(name):
        return [
            *("tokenize", str(path), "-o", str(tmp_path / name / "shards")),
            *("--tokenizer", str(tmp_path / name / "tok")),
            *("--vocab-size", "300", "--shard-tokens", "2000"),
            *("--workers", "1", "--no-progress"),
        ]

    def contents(name):
        return [bytes_of(tmp_path / name / f) for f in ("tok", "shards")]

    assert main(command("whole")) == 0
    expected = contents("whole")
    assert len(expected[1]) > 10
    total = die_after(None, command("counted"))
    assert contents("counted") == expected
    rng = random.Random(0)
    for number in range(20):
        name = str(number)
        assert die_after(rng.randrange(1, total), command(name)) is None
        die_after(rng.randrange(1, total), command(name))  # and once more
        assert main(command(name)) == 0
        assert contents(name) == expected


def test_a_vocabulary_that_the_text_cannot_fill(tmp_path, capsys):
    """A first run that saves a smaller one, which the same command then
    refuses."""
    write_texts(["ab " * 20], tmp_path / "in.jsonl")
    options = ["--tokenizer", str(tmp_path / "tok"), "--vocab-size", "900"]
    for _ in range(2):
        assert run(tmp_path, *options) == 2
        assert "smaller vocab_size" in capsys.readouterr().err
    assert not (tmp_path / "tok").exists()


def test_the_folder_for_the_shards_has_to_be_named(tmp_path):
    """Shards in a folder whose name is a dash."""
    with pytest.raises(SystemExit) as stopped:
        main(["tokenize", str(tmp_path), "--tokenizer", str(tmp_path)])
    assert stopped.value.code == 2


FAMILIES = {
    "bpe": BPETokenizer,
    "wordpiece": WordPieceTokenizer,
    "unigram": UnigramTokenizer,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_trained_and_loaded(tmp_path, family):
    """A unigram tokenizer of this package that is sent to another library."""
    texts = [text[:500] for text in python_docs(30_000)]
    write_texts(texts, tmp_path / "in.jsonl")
    where = [
        "--tokenizer",
        str(tmp_path / "tok"),
        "--end-of-text",
        "<|im_end|>",
    ]
    trained = ["--vocab-size", "400", "--family", family]
    assert run(tmp_path, *where, *trained) == 0
    tok = FAMILIES[family].load(tmp_path / "tok")
    shards = TokenShards(tmp_path / "shards", tok)
    assert len(shards) == len(texts)
    assert shards.end_id == tok.special_tokens["<|im_end|>"]
    assert run(tmp_path, *where) == 0


def test_the_token_that_ends_a_document_can_be_named(tmp_path, capsys):
    """A message that offers what the command lacks."""
    texts = ["the boats come back with the tide. " * 20]
    write_texts(texts, tmp_path / "in.jsonl")
    tok = BPETokenizer.train(texts, 270, special_tokens=["<|im_end|>"])
    tok.save(tmp_path / "tok")
    where = ["--tokenizer", str(tmp_path / "tok")]
    assert run(tmp_path, *where) == 2
    told = capsys.readouterr().err
    assert "name one with --end-of-text: it has '<|im_end|>'" in told
    assert run(tmp_path, *where, "--end-of-text", "<|im_end|>") == 0
    (ids,) = TokenShards(tmp_path / "shards", tok)
    assert ids[-1] == tok.special_tokens["<|im_end|>"]
    none = ["--end-of-text", "None", "-o", str(tmp_path / "none")]
    assert run(tmp_path, *where, *none) == 0
    assert TokenShards(tmp_path / "none", tok).end_id is None
