"""Our models beside transformers': same weights, same tokens, one process.

    python benchmarks/model.py
    python benchmarks/model.py --only eager --dtypes float32 --rounds 9

Both sides run in turn, and the ratio of each pair of runs counts: its median
is reported, with the lowest and the highest. Each side trains on its own
loss, as its users do. Memory is the peak of a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from text import heading, row
from torch import Tensor, nn

from scratchlm.interop import hf
from scratchlm.model.loss import cross_entropy

VOCABULARY = 8192
SHAPES = {"7M": (256, 8, 4, 704), "25M": (448, 8, 7, 1216)}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
CLOSE = {"float32": 1e-4, "bfloat16": 0.1}
Run = Callable[[], object]


def configuration(family: str, size: str) -> transformers.PreTrainedConfig:
    """A model of about ``size`` parameters, heads of 64 or of 32 axes."""
    d_model, n_layers, n_kv_heads, d_ff = SHAPES[size]
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    if family == "GPT-2":
        return transformers.GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=2048,
            n_embd=d_model,
            n_layer=n_layers,
            n_head=2 * n_kv_heads,
            **ends,
        )
    return transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=2048,
        hidden_size=d_model,
        num_hidden_layers=n_layers,
        num_attention_heads=2 * n_kv_heads,
        num_key_value_heads=n_kv_heads,
        intermediate_size=d_ff,
        tie_word_embeddings=True,
        **ends,
    )


def write(family: str, size: str, folder: Path) -> None:
    """Draw the weights once; both sides read them from the same files."""
    torch.manual_seed(0)
    config = configuration(family, size)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)


def read(side: str, folder: Path, dtype: torch.dtype) -> nn.Module:
    if side == "ours":
        return hf.load(folder).model.to(dtype).eval()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype
    )
    return model.eval()


def logits_of(side: str, model: nn.Module, tokens: Tensor) -> Tensor:
    if side == "ours":
        return model(tokens)
    return model(tokens, use_cache=False).logits


def passes(side: str, model: nn.Module, tokens: Tensor) -> dict[str, Run]:
    """What is timed. Dropout is off on both sides."""
    targets = tokens.roll(-1, 1)

    def forward() -> None:
        with torch.no_grad():
            logits_of(side, model, tokens)

    def both() -> None:
        if side == "ours":
            loss = cross_entropy(model(tokens), targets)
        else:
            # Its own labels are the tokens: it shifts them by itself.
            loss = model(tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        model.zero_grad(set_to_none=True)

    return {"forward": forward, "forward and backward": both}


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def speeds(
    models: dict[str, nn.Module], tokens: Tensor, rounds: int
) -> dict[str, tuple[float, list[float]]]:
    """Our tokens per second, and the ratios of all rounds, of each pass."""
    ours, theirs = (passes(s, m, tokens) for s, m in models.items())
    found = {}
    for name, run in ours.items():
        for _ in range(3):  # compiles, and fills the caches
            run(), theirs[name]()
        pairs = [(seconds(run), seconds(theirs[name])) for _ in range(rounds)]
        ratios = sorted(their / our for our, their in pairs)
        best = tokens.numel() / min(our for our, _ in pairs)
        found[name] = best, ratios
    return found


def peak_megabytes(side: str, folder: Path, dtype: str, shape: str) -> float:
    """What three steps of training add to a process that has imported all."""
    command = [sys.executable, __file__, "--measure", side, str(folder)]
    options = ["--dtypes", dtype, "--shape", shape]
    done = subprocess.run(
        command + options, check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def resident(name: str) -> float:
    """A line of this process's memory, in MB."""
    status = Path("/proc/self/status").read_text()
    line = next(s for s in status.splitlines() if s.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def measure(side: str, folder: Path, dtype: str, shape: str) -> None:
    """Run in a process of its own, so that no other model is counted."""
    tokens = draw(shape)
    before = resident("VmRSS")
    run = passes(side, read(side, folder, DTYPES[dtype]), tokens)
    for _ in range(3):
        run["forward and backward"]()
    print(resident("VmHWM") - before)


def draw(shape: str) -> Tensor:
    batch, length = map(int, shape.split("x"))
    generator = torch.Generator().manual_seed(0)
    return torch.randint(VOCABULARY, (batch, length), generator=generator)


def report(
    label: str, folder: Path, dtype: str, args: argparse.Namespace
) -> None:
    tokens = draw(args.shape)
    models = {
        side: read(side, folder, DTYPES[dtype]) for side in ("ours", "theirs")
    }
    with torch.no_grad():
        a, b = (logits_of(s, m, tokens[:1]) for s, m in models.items())
    difference = float((a - b).abs().max())
    if difference > CLOSE[dtype]:
        raise SystemExit(f"{label}: the logits differ by {difference}")
    for mode in args.only:
        ready = models
        if mode == "compiled":
            torch._dynamo.reset()
            ready = {s: torch.compile(m) for s, m in models.items()}
        found = speeds(ready, tokens, args.rounds)
        for name, (rate, ratios) in found.items():
            middle = statistics.median(ratios)
            row(
                f"{label}, {mode}, {name}",
                f"{middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                f"{rate:,.0f} tokens/s",
            )
    if not args.no_memory:
        both = [
            peak_megabytes(s, folder, dtype, args.shape)
            for s in ("ours", "theirs")
        ]
        row(
            f"{label}, peak of training",
            f"{both[0]:.0f} MB, theirs {both[1]:.0f}",
            f"{both[0] / both[1]:.2f} times theirs",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--shape", default="8x256", help="batch x tokens")
    parser.add_argument(
        "--only", nargs="+", default=["eager", "compiled"], metavar="MODE"
    )
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES))
    parser.add_argument("--sizes", nargs="+", default=list(SHAPES))
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if args.measure:
        side, folder = args.measure
        return measure(side, Path(folder), args.dtypes[0], args.shape)
    heading(f"{args.shape} tokens, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as home:
        for family in ("GPT-2", "Llama"):
            for size in args.sizes:
                folder = Path(home) / f"{family}-{size}"
                write(family, size, folder)
                for dtype in args.dtypes:
                    report(f"{family} {size} {dtype}", folder, dtype, args)


if __name__ == "__main__":
    main()
