"""The same command, killed anywhere and run again, gives the same bytes."""

import os
import random
import signal
import subprocess
import sys
from functools import cache

import pytest

from scratchlm.foundation import parallel
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.shards.reading import TokenShards
from scratchlm.text.shards.writing import ShardConfig, write_shards
from scratchlm.text.tokenizer.bpe import BPETokenizer

END = "<|endoftext|>"
DOCS = [doc[:3000] for doc in python_docs(120_000)]
SMALL = ShardConfig(shard_tokens=2000)
N_KILLS = 20


@cache
def tokenizer(vocab_size=300):
    return BPETokenizer.train(DOCS, vocab_size, special_tokens=[END])


def contents(folder):
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.name != ".lock"
    }


def write(folder, docs=DOCS, config=SMALL, workers=1, **options):
    return write_shards(
        docs, tokenizer(), folder, config, workers=workers, **options
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write(folder)
    return contents(folder)


def count_steps(folder):
    """Every call of a function while shards are written, by number."""
    steps = []

    def note(frame, event, arg):
        if event in ("call", "c_call"):
            steps.append(getattr(arg, "__name__", ""))

    sys.setprofile(note)
    try:
        write(folder)
    finally:
        sys.setprofile(None)
    return steps


def write_and_die(folder, step):
    """Write in a process of its own, killed before its n-th call."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return status
    left = [step]

    def count(frame, event, arg):
        if event in ("call", "c_call"):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.setprofile(count)
        write(folder)
    finally:
        os._exit(0)


@pytest.mark.untraced
def test_killed_at_random_points(tmp_path, expected):
    """A partial file that the next run takes for a whole one; a shard that
    the manifest names before the disk has it; borders that move."""
    steps = count_steps(tmp_path / "counted")
    touch = {"fsync", "replace", "write", "close", "unlink", "open"}
    files = [i for i, name in enumerate(steps) if name in touch]
    rng = random.Random(0)
    kills = rng.sample(files, N_KILLS // 2)
    kills += rng.sample(range(len(steps)), N_KILLS // 2)
    for number, step in enumerate(kills):
        folder = tmp_path / str(number)
        status = write_and_die(folder, step)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL
        write(folder)
        assert contents(folder) == expected, steps[step]


PROGRAM = """
import sys
from scratchlm.foundation import parallel
from scratchlm.text.tokenizer.bpe import BPETokenizer
from scratchlm.text.corpora.interpreter import python_docs
from scratchlm.text.shards.manifest import Manifest
from scratchlm.text.shards.writing import ShardConfig, write_shards
parallel.BATCH = 5000
write = Manifest.write
def tell(manifest, folder):
    write(manifest, folder)
    print("manifest written", flush=True)
Manifest.write = tell
docs = [doc[:3000] for doc in python_docs(120_000)]
tok = BPETokenizer.load(sys.argv[2])
print("begin", flush=True)
write_shards(docs, tok, sys.argv[1], ShardConfig(shard_tokens=2000), workers=2)
"""


@pytest.mark.untraced
def test_killed_again_and_again_with_workers(tmp_path, expected):
    """Workers that outlive their parent; a second kill that meets what the
    first one left."""
    folder = tmp_path / "shards"
    tokenizer().save(tmp_path / "tokenizer")
    command = [sys.executable, "-c", PROGRAM, folder, tmp_path / "tokenizer"]
    for n_told in (1, 2, 4, 5):  # it has begun, and then shard after shard
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for _ in range(n_told):
                assert process.stdout.readline()
            process.kill()
            process.communicate(timeout=30)  # until no worker holds the pipe
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert contents(folder) == expected


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_do_not_change_the_bytes(
    tmp_path, expected, workers, monkeypatch
):
    """Borders or order that depend on which process finishes first."""
    monkeypatch.setattr(parallel, "BATCH", 5000)
    write(tmp_path, iter(DOCS), workers=workers)
    assert contents(tmp_path) == expected


def test_finished_documents_are_not_encoded_again(tmp_path, expected):
    """A resume that costs as much as the first run."""
    calls = []

    class Counting:
        vocab_size = tokenizer().vocab_size
        fingerprint = tokenizer().fingerprint
        special_tokens = tokenizer().special_tokens

        def encode_arrays(self, texts):
            calls.extend(texts)
            if len(calls) == 15:
                raise KeyboardInterrupt
            return tokenizer().encode_arrays(texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "BATCH", 1)  # a batch for each document
        with pytest.raises(KeyboardInterrupt):
            write_shards(iter(DOCS), Counting(), tmp_path, SMALL, workers=1)
        assert not list(tmp_path.glob("*.partial"))
        first, calls[:] = list(calls), []
        with pytest.raises(ValueError, match=r"is not finished.*run the com"):
            TokenShards(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            write_shards(iter(DOCS), Counting(), tmp_path, SMALL, workers=1)
    assert len(first) == 15
    assert DOCS.index(calls[0]) > 5
    write(tmp_path)
    assert contents(tmp_path) == expected


def begun(folder, n_shards=3):
    """A folder whose run was killed behind some shards."""
    steps = count_steps(folder.with_name("counted"))
    renames = [i for i, name in enumerate(steps) if name == "replace"]
    write_and_die(folder, renames[3 * n_shards + 1])


@pytest.mark.parametrize("finished", [False, True])
def test_what_changed_is_named(tmp_path, finished):
    """Shards of two corpora or of two tokenizers in one folder."""
    folder = tmp_path / "shards"
    write(folder) if finished else begun(folder)
    before = contents(folder)
    other = [DOCS[0] + "!", *DOCS[1:]]
    with pytest.raises(ValueError, match=r"shard-00000.*numbers 0 to.*diff"):
        write(folder, other)
    with pytest.raises(ValueError, match=r"shard-00000.*end after 1\."):
        write(folder, DOCS[:1])
    with pytest.raises(ValueError, match="shard_tokens was 2000 and is 9"):
        write(folder, config=ShardConfig(shard_tokens=9))
    with pytest.raises(ValueError, match=r"tokenizer was .* empty folder"):
        write_shards(DOCS, tokenizer(301), folder, SMALL)
    with pytest.raises(ValueError, match=r"end_of_text was .* and is None"):
        write(folder, config=ShardConfig(shard_tokens=2000, end_of_text=None))
    lost = {n for n in before if not n.endswith(".partial")}
    assert {n: before[n] for n in lost} == contents(folder)


def test_more_documents_than_a_finished_folder_has(tmp_path):
    """Documents that are left out without a word."""
    write(tmp_path)
    with pytest.raises(ValueError, match="is finished, and there are more"):
        write(tmp_path, [*DOCS, "one more"])


@pytest.mark.parametrize("how", ["short", "other", "absent"])
def test_a_damaged_shard_is_not_built_upon(tmp_path, how):
    """A resume that trusts what it finds."""
    begun(tmp_path / "shards")
    path = tmp_path / "shards" / "shard-00001.tokens"
    data = path.read_bytes()
    path.write_bytes(data[:-2] if how == "short" else bytes(len(data)))
    if how == "absent":
        path.unlink()
    with pytest.raises(ValueError, match=r"shard-00001\.tokens"):
        write(tmp_path / "shards")


def test_settings_may_change_before_the_first_shard(tmp_path, expected):
    """A folder that a slip of a second spoils for good."""
    with pytest.raises(ValueError, match="no documents; nothing was"):
        write(tmp_path, [], config=ShardConfig(shard_tokens=7))
    write(tmp_path)
    assert contents(tmp_path) == expected


def test_foreign_shards_are_left_alone(tmp_path):
    """Someone's files, overwritten because they had our names."""
    (tmp_path / "shard-00000.tokens").write_bytes(b"theirs")
    with pytest.raises(ValueError, match=r"no manifest\.json.*empty folder"):
        write(tmp_path)
    assert (tmp_path / "shard-00000.tokens").read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ("one text", {}, "one string; give a list"),
        (DOCS, {"workers": 0}, "workers is 0"),
    ],
)
def test_bad_input_is_named(tmp_path, texts, options, message):
    """A corpus of single letters, because a string is iterable too."""
    with pytest.raises(ValueError, match=message):
        write(tmp_path, texts, **options)


def test_a_file_is_no_folder(tmp_path):
    """An error from the depths of mkdir."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file; give a folder"):
        write(tmp_path / "file")


def test_progress_counts_documents(tmp_path, capsys):
    """A bar that starts at zero again after a kill."""
    begun(tmp_path / "shards")
    write(tmp_path / "shards", progress=True)
    assert f"{len(DOCS)}/{len(DOCS)}" in capsys.readouterr().err
