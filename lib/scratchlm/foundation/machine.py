"""On what, and from which source, something was computed."""

import platform
import subprocess
from pathlib import Path


def processor() -> str:
    """Name the processor; its architecture where the system hides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line for line in lines if line.startswith("model name")]
    return names[0].partition(": ")[2] if names else platform.machine()


def commit(folder: Path) -> str:
    """Return the hash of the commit that a checkout stands at.

    Args:
        folder: in the checkout.

    Returns:
        40 hexadecimal digits; ``"unknown"`` outside of a checkout.
    """
    head = ["git", "rev-parse", "HEAD"]
    try:
        told = subprocess.run(
            head, cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
