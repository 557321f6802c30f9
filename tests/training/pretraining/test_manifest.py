"""What a checkpoint says of itself, and what is said of two that differ."""

import json

import numpy as np
import pytest

from scratchlm.training.pretraining.manifest import (
    MANIFEST,
    Damaged,
    as_json,
    differences,
    identity,
    manifest_of,
    read_manifest,
    verified,
)


def test_any_other_byte_is_noticed(tmp_path):
    """A digit of the architecture that flips on the disk, after which the
    checkpoint is said to be of another run, and not to be damaged."""
    good = manifest_of(5, {"d_model": 64}, {})
    path = tmp_path / MANIFEST
    path.write_bytes(good)
    assert read_manifest(tmp_path, 5)["about"] == {"d_model": 64}
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(Damaged):
            read_manifest(tmp_path, 5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{}", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (manifest_of(6, {}, {}), "says that this is step 6"),
        (manifest_of(5, {}, {})[:-9], "cannot be read"),
        (manifest_of(5, {}, {}).replace(b"{}", b"[]"), "has been altered"),
        (b'{"format": 2, "step": 5, "sha256": ""}', "format is 2.* reads 1"),
        (None, "is missing"),
    ],
)
def test_each_fault_is_named(tmp_path, content, said):
    """A KeyError of three letters, or a traceback, for a broken file."""
    if content is not None:
        (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(Damaged, match=said):
        read_manifest(tmp_path, 5)


def test_files_are_compared(tmp_path):
    """A file that is there, and is another."""
    told = {"bytes": 0, "sha256": "00"}
    (tmp_path / MANIFEST).write_bytes(manifest_of(5, {}, {"a": told}))
    with pytest.raises(Damaged, match="a is missing"):
        verified(tmp_path, 5)
    (tmp_path / "a").write_bytes(b"more")
    with pytest.raises(Damaged, match="a has 4 of 0 bytes"):
        verified(tmp_path, 5)
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(Damaged, match="a has been altered"):
        verified(tmp_path, 5)
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(Damaged, match="a cannot be read"):
        verified(tmp_path, 5)


def test_a_run_is_identified_by_plain_values():
    """A matrix of weights in each manifest, compared by its name."""
    about = {"rates": (0.1, float("inf")), 0: None}
    assert identity(about) == json.loads(as_json(identity(about)))
    with pytest.raises(ValueError, match=r"tensors or arrays \(w\)"):
        identity({"w": np.ones(2)})
    with pytest.raises(ValueError, match=r"about\['w'\] is of the type set"):
        identity({"w": {1}})


def test_keys_that_differ_are_told_with_both_values():
    """A message that two dicts of forty keys are not equal."""
    saved = {"model": {"d_model": 64, "n_heads": 4}, "seed": 0, "old": True}
    asked = {"model": {"d_model": 128, "n_heads": 4}, "seed": "0", "new": 1.5}
    assert differences(saved, asked) == (
        "model.d_model is 64 there and 128 here, "
        'seed is 0 there and "0" here, '
        "old is true there and absent otherwise, "
        "new is 1.5 here and absent otherwise"
    )
