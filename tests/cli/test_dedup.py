"""One of each group, from a file or from a pipe."""

import io
import json
import sys

from scratchlm.cli.program import main
from scratchlm.text.corpora.texts import read_records, read_texts, write_texts

LONG = "the cat sat on the mat and looked at the rain for a long while " * 3
TEXTS = [
    f"{LONG}one",
    "something else entirely, about ships",
    f"{LONG}two",
    "Something  else entirely, about ships",
]


def test_near_and_equal_copies_go(tmp_path, capsys):
    """Options that do not reach the function."""
    path, out = tmp_path / "in.jsonl", tmp_path / "out.txt"
    write_texts(TEXTS, path, "body")
    base = ["dedup", str(path), "-o", str(out), "--column", "body"]
    base += ["--no-progress", "--workers", "1"]
    assert main(base) == 0
    assert list(read_texts(out)) == TEXTS[:2]
    assert "2 of 4 documents kept; 1 were" in capsys.readouterr().err
    assert main([*base, "--no-near"]) == 0
    assert list(read_texts(out)) == TEXTS[:3]
    assert main([*base, "--verify", "--threshold", "1"]) == 0
    assert list(read_texts(out)) == TEXTS[:3]


def test_the_standard_input_can_be_read_twice(tmp_path, monkeypatch):
    """The second reading of a pipe finds nothing."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)

    class Stdin:
        buffer = io.BytesIO(lines.encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    out = tmp_path / "out.jsonl"
    options = ["--no-progress", "--workers", "1"]
    assert main(["dedup", "-", "-o", str(out), *options]) == 0
    assert list(read_texts(out)) == TEXTS[:2]


def test_lines_and_test_questions_can_go_too(tmp_path):
    """A benchmark in the training text, and a menu on every page."""
    menu = "Home | Products | Company | Contact | Terms of use and privacy"
    question = "How many apples does Ann have if she buys nine and eats two"
    texts = [f"{menu}\nfirst", f"{menu}\nsecond", f"Quiz: {question}?", menu]
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    test = tmp_path / "test.jsonl"
    write_texts(texts, path)
    write_texts([question], test)
    assert (
        main(
            [
                *("dedup", str(path), "-o", str(out), "--lines"),
                *("--against", str(test), "--no-progress"),
                *("--workers", "1", "--no-near"),
            ]
        )
        == 0
    )
    assert list(read_texts(out)) == [f"{menu}\nfirst", "second"]


def test_the_defaults_are_those_of_the_library():
    """The command and the chapter give two answers."""
    from scratchlm.cli.dedup import Dedup
    from scratchlm.text.deduplication.pipeline import DedupConfig

    command, config = Dedup(paths=("-",)), DedupConfig()
    for name in ["near", "verify", "threshold", "keep"]:
        assert getattr(command, name) == getattr(config, name)


def test_other_fields_survive_and_bad_records_do_not_count(tmp_path, capsys):
    """Numbers of documents of a first reading, applied to a second that
    skipped other ones."""
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": n, "text": text} for n, text in enumerate(TEXTS)]
    bad = ['{"text": null}', '{"text": "a\\ud83d"}', '{"text": "cut']
    lines = [bad[0], json.dumps(rows[0]), bad[1]]
    lines += [*map(json.dumps, rows[1:]), bad[2]]
    path.write_text("\n".join(lines))
    base = ["dedup", str(path), "-o", str(out), "--no-progress"]
    base += ["--workers", "1"]
    assert main(base) == 2
    assert "--on-error skip" in capsys.readouterr().err
    assert not out.exists()
    assert main([*base, "--on-error", "skip", "--lines"]) == 0
    assert [each.fields for each in read_records(out)] == rows[:2]
    told = capsys.readouterr().err
    assert "3 records skipped" in told
    assert "2 of 4 documents kept" in told
