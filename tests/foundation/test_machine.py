"""On what something was computed."""

import platform
import subprocess
from pathlib import Path

from scratchlm.foundation import machine


def test_the_processor_has_a_name(monkeypatch):
    """A figure without its machine cannot be compared."""
    assert machine.processor().strip()

    def hidden(path, *given, **named):
        raise FileNotFoundError(str(path))

    monkeypatch.setattr(Path, "read_text", hidden)
    assert machine.processor() == platform.machine()


def test_the_commit_is_that_of_the_checkout(tmp_path):
    """That of the folder where somebody happens to stand is another."""
    assert machine.commit(tmp_path) == "unknown"
    for words in (
        ["init", "-q"],
        [
            *("-c", "user.name=a", "-c", "user.email=a@b", "commit"),
            *("-q", "--allow-empty", "-m", "one"),
        ],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    found = machine.commit(tmp_path)
    assert len(found) == 40
    assert set(found) <= set("0123456789abcdef")
