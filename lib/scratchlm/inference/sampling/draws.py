"""Uniform numbers without a state, and tokens drawn with them."""

import hashlib
import struct

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor


def uniform(seed: int, row: int, position: int) -> float:
    """Return the number that a seed has for a place in a batch.

    It is a hash of the three, so that it depends on no draw before it, on
    no other row, and on no device.

    Args:
        seed: any whole number of 64 bits.
        row: of the batch as it began.
        position: how many tokens the row has written.

    Returns:
        A multiple of 2**-53, from 0 up to but not 1.

    Source: the idea is that of Salmon et al. 2011, "Parallel Random
    Numbers: As Easy as 1, 2, 3"; the hash is BLAKE2b.
    """
    place = struct.pack("<qqq", seed, row, position)
    digest = hashlib.blake2b(place, digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / 2**53


def inverse_cdf(
    logits: Float[Tensor, "B V"], u: Float64[Tensor, "B"]
) -> Int[Tensor, "B"]:
    """Return the token at which the running sum of probabilities passes u.

    Tokens are laid side by side on a line of length one, each as long as
    its probability; u is a point on the line.

    Args:
        logits: of the next token, not all minus infinity in any row.
        u: for each row, from 0 up to but not 1.
    """
    reached = logits.double().softmax(-1).cumsum(-1)
    total = reached[:, -1:]  # 1, but for rounding
    # Below the end even where u times the total rounds up to it.
    point = (u[:, None] * total).minimum(total.nextafter(total * 0))
    return torch.searchsorted(reached, point, right=True)[:, 0]
