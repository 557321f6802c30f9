"""Ranks on this machine, beside PyTorch's: same weights, same rows.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --only data-parallel    # or another case
    python benchmarks/scaling.py --model 0.2M --shape 2x16 --rounds 1
    python benchmarks/scaling.py --json

Each case first checks that both sides compute the same gradients. Both run in
the same two processes, in turn.
"""

import argparse
from collections.abc import Callable

import _all_reduce
import _data_parallel
import _pipeline
import _sharded_data_parallel
from _output import Output, add_option

Case = Callable[[Output, argparse.Namespace], None]
CASES: dict[str, Case] = {
    "all-reduce": _all_reduce.all_reduce,
    "data-parallel": _data_parallel.data_parallel,
    "sharded-data-parallel": _sharded_data_parallel.sharded_data_parallel,
    "pipeline": _pipeline.pipeline,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(CASES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model", default="25M")
    parser.add_argument("--shape", default="4x128", help="rows x tokens")
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--pipeline-rounds", type=int, default=5)
    parser.add_argument(
        "--unit",
        type=float,
        default=0.25,
        help="seconds of an action of a pipeline in slow motion",
    )
    parser.add_argument("--memory-shape", default="1x64")
    add_option(parser)
    arguments = parser.parse_args()
    output = Output(as_json=arguments.json)
    unknown = set(arguments.only) - set(CASES)
    if unknown:
        parser.error(f"no case {sorted(unknown)}; there are {list(CASES)}")
    for name in arguments.only:
        CASES[name](output, arguments)


if __name__ == "__main__":
    main()
