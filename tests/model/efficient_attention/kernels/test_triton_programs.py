# ruff: noqa: E402 (what follows needs Triton)

import pytest

triton = pytest.importorskip("triton")

from scratchlm.model.efficient_attention.kernels import (
    triton_programs,
    triton_rms_norm,
)
from scratchlm.model.efficient_attention.kernels.triton_attention import TILES

# What a program of a Hopper GPU can have of the memory beside a processor.
SHARED = 227 * 1024
NUMBERS = dict.fromkeys(
    ("n_tokens", "n_keys", "behind", "ahead", "n_kv_heads"), "i32"
)
NUMBERS |= {"factor": "fp32", "scale": "fp32"}


def compile_for_hopper(kernel, types, constants, warps):
    """Compile down to machine code, which needs no GPU."""
    signature = {
        name: "constexpr" if name in constants else types[name]
        for name in kernel.arg_names
    }
    source = triton.compiler.ASTSource(kernel, signature, constants)
    target = triton.backends.compiler.GPUTarget("cuda", 90, 32)
    return triton.compile(source, target, {"num_warps": warps})


@pytest.mark.parametrize(
    ("kind", "packed"),
    [((2, 64), False), ((2, 64), True), ((4, 64), True)],
)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_attention_compiles_for_hopper(
    kind, which, packed, tmp_path, monkeypatch
):
    """What the interpreter runs and the compiler refuses: a range that is no
    power of two, a tile that does not fit the memory beside a processor."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    names = ("mix", "differentiate_queries", "differentiate_keys")
    kernel = getattr(triton_programs, names[which])
    n_bytes, width = kind
    tile_t, tile_s, warps = TILES[kind][which]
    constants = dict.fromkeys(("H", "HV", "PAD_H", "PAD_HV"), width)
    constants |= {"GROUP": 4, "TILE_T": tile_t, "TILE_S": tile_s}
    constants["PACKED"] = packed
    pointer = "*bf16" if n_bytes == 2 else "*fp32"
    types = {name: pointer for name in kernel.arg_names if "_ptr" in name}
    types |= {"lse_ptr": "*fp32", "along_ptr": "*fp32", **NUMBERS}
    types["spans_ptr"] = "*i32"
    made = compile_for_hopper(kernel, types, constants, warps)
    assert made.metadata.shared <= SHARED
    # The instruction of Hopper's matrix units.
    assert n_bytes == 4 or "wgmma" in made.asm["ptx"]


def test_the_norm_compiles_for_hopper(tmp_path, monkeypatch):
    """A loop over rows that only the interpreter can count."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for kernel, constants in [
        (triton_rms_norm._normalize, {"WIDTH": 96, "PAD": 128}),
        (
            triton_rms_norm._differentiate,
            {"WIDTH": 96, "PAD": 128, "ROWS": 32},
        ),
    ]:
        types = {name: "*bf16" for name in kernel.arg_names if "_ptr" in name}
        types |= {"inverse_ptr": "*fp32", "parts_ptr": "*fp32"}
        types |= {"eps": "fp32", "n_rows": "i32"}
        made = compile_for_hopper(kernel, types, constants, 4)
        assert made.asm["cubin"]
