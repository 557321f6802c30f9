"""Text from the shell: as it is written, whole, and up to its end."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from importlib import import_module

import pytest
import torch

from scratchlm.cli import generate as module
from scratchlm.cli.generate import Pace, Samples, Timing, fastest, told
from scratchlm.cli.program import main
from scratchlm.interop.hf.models import save
from scratchlm.model.published import tiny
from scratchlm.model.transformer import Transformer
from scratchlm.text.tokenizer.bpe import BPETokenizer

# Its package has a function of this name.
writing = import_module("scratchlm.inference.cache.generate")
BASE = ("generate", "tinyworld-base", "--prompt")
ASKED = "Question: Where do geese sleep?\nAnswer:"


@pytest.fixture
def endless(tmp_path):
    """A model that never ends, and names nothing that begins a text."""
    torch.manual_seed(0)
    config = replace(tiny(64), vocab_size=256, max_tokens=1 << 16)
    folder = tmp_path / "endless"
    save(Transformer(config), BPETokenizer.train(["abc"], 256), folder)
    return folder


load_once = cache(module.load_speaker)


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch):
    """Read the shipped model for the first test alone, and leave the other
    threads to other tests."""
    monkeypatch.setattr(module, "load_speaker", load_once)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def run(capsysbinary):
    """Call it with words: the exit code, the text, and what was told."""

    def call(*words):
        capsysbinary.readouterr()
        code = main([*map(str, words)])
        shown = capsysbinary.readouterr()
        return code, shown.out.decode(), shown.err.decode()

    return call


@pytest.fixture
def scripted(monkeypatch):
    """Let the model write given ids, one for each row and step."""

    def play(*steps, before=lambda: None):
        def generate(model, tokens, **settings):
            for step in steps:
                before()
                yield dict(step) if isinstance(step, dict) else {0: step}

        monkeypatch.setattr(writing, "generate", generate)
        pace = Pace("float32", torch.get_num_threads())
        monkeypatch.setattr(module, "fastest", lambda *_: pace)

    return play


def start(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "scratchlm", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_the_shipped_model_answers_in_a_process_of_its_own():
    """The command of the front page, as a reader types it."""
    process = start(*BASE, ASKED, "--temperature", "0")
    out, said = process.communicate()
    assert process.returncode == 0, said
    assert out == b" In a basket.\n"
    (line,) = said.decode().splitlines()
    assert line.startswith("generate: ")
    assert "tokens in" in line
    assert "float32 on cpu" in line


def test_the_first_piece_arrives_before_the_last(endless):
    """A text that appears at once when all of it is done."""
    words = ("generate", endless, "--prompt", "a", "--max-new-tokens", 2000)
    process = start(*words)
    assert os.read(process.stdout.fileno(), 1)
    assert process.poll() is None
    first = time.perf_counter()
    while os.read(process.stdout.fileno(), 1 << 16):
        pass
    assert time.perf_counter() - first > 0.2
    process.communicate()
    assert process.returncode == 0


def test_each_piece_is_out_before_the_next_is_asked_for(
    run, scripted, capsysbinary
):
    """A buffer between the model and the reader."""
    text, seen = "Geese sleep", []
    folder = module.find_checkpoint("tinyworld-base")
    ids = module.load_speaker(folder).tokenizer.encode(text)

    def look():
        seen.append(capsysbinary.readouterr().out)

    scripted(*ids, before=look)
    code, out, _ = run(*BASE, "a")
    assert code == 0
    assert seen[0] == b""
    assert all(seen[1:])
    # What the capture had not read yet is the last piece.
    assert b"".join(seen).decode() + out == f"{text}\n"


def test_a_character_is_never_split(run, scripted, monkeypatch):
    """Half of an emoji in one write, and two question marks on the screen."""
    text, written = "naïve 🙂é", []
    folder = module.find_checkpoint("tinyworld-base")
    tok = module.load_speaker(folder).tokenizer
    ids = tok.encode(text)
    assert len(ids) > len(text)
    scripted(*ids)
    shown = Samples._print
    monkeypatch.setattr(
        Samples, "_print", lambda self, t: [written.append(t), shown(self, t)]
    )
    code, out, _ = run(*BASE, "a")
    assert (code, out) == (0, f"{text}\n")
    assert "🙂" in written
    assert "\N{REPLACEMENT CHARACTER}" not in out


def test_a_terminal_of_another_encoding_gets_utf8():
    """A crash at the first accent where the locale is plain ASCII."""
    code = (
        "from scratchlm.cli.generate import Samples\n"
        "out = Samples(1); out.add(0, '\\u00e9'); out.end(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout == "é\n".encode()


def test_several_samples_differ_and_stand_apart(run):
    """A batch whose rows share their draws, or run into each other."""
    words = (*BASE, "Once there was a", "--max-new-tokens", 12)
    code, out, said = run(*words, "--n", 3)
    assert code == 0
    before, *texts = re.split(r"^--- sample \d of 3 ---\n", out, flags=re.M)
    assert not before
    assert len(texts) == len(set(texts)) == 3
    assert all(text.endswith("\n") for text in texts)
    assert "generate: 36 tokens" in said
    code, alone, _ = run(*words)
    assert alone == texts[0]


def test_a_sample_is_shown_as_soon_as_those_before_it_have_ended(
    run, scripted, capsysbinary
):
    """Samples but the first that appear when all are done, or in between
    the lines of another."""
    folder = module.find_checkpoint("tinyworld-base")
    speaker = module.load_speaker(folder)
    a, b, c = speaker.tokenizer.encode("abc")
    end, seen = min(speaker.ends), []
    steps = ({0: a, 1: b, 2: c}, {0: end, 1: b, 2: end}, {1: c}, {1: end})

    def look():
        seen.append(capsysbinary.readouterr().out.decode())

    scripted(*steps, before=look)
    code, rest, _ = run(*BASE, "a", "--n", 3)
    assert code == 0
    one, two, three = (f"--- sample {i} of 3 ---\n" for i in (1, 2, 3))
    assert [*seen, rest] == [
        "",
        f"{one}a",
        f"\n{two}bb",
        "c",
        f"\n{three}c\n",
    ]


def test_the_seed_decides(run):
    """Two runs that nobody can compare, or a seed that changes nothing."""
    words = (*BASE, "Once there was a", "--max-new-tokens", 12)
    first, again, other = (
        run(*words, "--seed", seed)[1] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_text_ends_before_each_of_the_stops(run):
    """The second --stop takes the place of the first."""
    words = (*BASE, "Once there was a", "--temperature", 0)
    _, whole, _ = run(*words, "--max-new-tokens", 60)
    stops = (" who", ",", "lived in")
    given = [word for stop in stops for word in ("--stop", stop)]
    code, cut, _ = run(*words, *given)
    first = min(whole.find(stop) for stop in stops if stop in whole)
    assert code == 0
    assert cut == f"{whole[:first]}\n"


def test_the_prompt_comes_from_a_pipe(run, monkeypatch):
    """The newline that echo adds becomes a part of the question."""

    class Stdin:
        buffer = io.BytesIO(f"{ASKED}\r\n".encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    code, out, _ = run(*BASE, "-", "--temperature", 0)
    assert (code, out) == (0, " In a basket.\n")
    Stdin.buffer = io.BytesIO(b"\xff")
    code, out, said = run(*BASE, "-")
    assert (code, out) == (2, "")
    assert said.startswith("scratchlm: the prompt on the standard input is")


def test_without_a_prompt_the_model_begins(run):
    """An error where the model could tell a story of its own."""
    code, out, said = run("generate", "tinyworld-base", "--max-new-tokens", 9)
    assert code == 0
    assert "behind a prompt of 1;" in said
    assert len(out) > 9


def test_the_context_bounds_what_is_not_asked_for(run):
    """A default that fails for a long prompt which leaves some room."""
    code, _, said = run(*BASE, "a " * 250, "--temperature", 1.5)
    assert code == 0, said
    words = ("--max-new-tokens", 300)
    code, out, said = run(*BASE, "a " * 250, *words)
    assert (code, out) == (2, "")
    assert "context is 512; give at most" in said
    code, out, said = run(*BASE, "a " * 2000)
    assert (code, out) == (2, "")
    assert said.endswith("context is 512; give a shorter prompt\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "there is no folder nothing, and no model of"),
        (["tinyworld-base", "--n", "0"], "--n is 0; give 1 or more"),
        (["tinyworld-base", "--seed", "-1"], "--seed is -1; give 0 or"),
        (
            ["tinyworld-base", "--max-new-tokens", "0"],
            "--max-new-tokens is 0; give 1 or more",
        ),
        (["tinyworld-base", "--stop", ""], "--stop is empty; give a text"),
        (["tinyworld-base", "--temperature", "-1"], "temperature is -1"),
        (["tinyworld-base", "--top-p", "1.5"], "top_p is 1.5; give"),
        (["tinyworld-base", "--top-k", "0"], "top_k is 0; give"),
        (["tinyworld-base", "--min-p", "2"], "min_p is 2.0; give"),
        (
            ["tinyworld-base", "--repetition-penalty", "0"],
            "repetition_penalty is 0.0; give",
        ),
        (
            ["tinyworld-base", "--device", "nowhere"],
            "nothing can be generated on the device 'nowhere': ",
        ),
    ],
)
def test_a_mistake_takes_one_line(run, words, message):
    """Forty lines of Python for a setting out of range."""
    code, out, said = run("generate", *words)
    assert (code, out) == (2, "")
    assert said.startswith("scratchlm: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_closed_pipe_ends_quietly(endless):
    """A traceback after ``| head -1``."""
    words = ("generate", endless, "--prompt", "a", "--max-new-tokens", 60_000)
    process = start(*words)
    assert os.read(process.stdout.fileno(), 1)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert said == b""


def test_an_interrupt_ends_the_line_and_is_130(endless):
    """A traceback for Ctrl-C, or a message at the end of half a sentence."""
    words = ("generate", endless, "--prompt", "a", "--max-new-tokens", 60_000)
    process = start(*words)
    first = os.read(process.stdout.fileno(), 1)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate()
    assert process.returncode == 130
    assert said == b"scratchlm: interrupted\n"
    assert (first + out).endswith(b"\n")


def test_a_pace_is_measured_and_leaves_no_trace(monkeypatch):
    """All threads of a busy machine for a model that one runs faster; or a
    process that keeps one thread for whatever comes next."""
    torch.set_num_threads(2)
    model, before = Transformer(tiny(64)), 2
    found = fastest(model, [1, 2, 3], ["float32", "bfloat16"])
    assert found.dtype in ("float32", "bfloat16")
    assert found.threads in (1, before)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert torch.get_num_threads() == before
    with Pace("float32", 1).kept():
        assert torch.get_num_threads() == 1
    monkeypatch.setattr(module, "SMALL", 0)
    assert fastest(model, [1], ["float32"]) == Pace("float32", before)


def test_what_is_told_is_what_was_measured():
    """Tokens a second that leave out the time to the first of them."""
    line = told(Timing(n_read=7, n_written=30, first=1.0, rest=2.0))
    assert line == (
        "30 tokens in 3.00 s, 10 a second; the first after 1.00 s, behind a "
        "prompt of 7"
    )
