"""A folder with a published model, as files.

Settings lie in ``config.json`` and weights in safetensors: a header of JSON
that says where each tensor begins, and then numbers. Neither can run code.
"""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from scratchlm.foundation.extras import import_failure

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# What a model needs, and nothing that must be unpickled.
WANTED = ("*.json", "*.safetensors", "merges.txt")
_REPO = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_ADAPTER = "adapter_config.json"
# A message that names all 291 tensors of a Llama fills the screen, and what
# is to be done scrolls away: so many characters, and so many of one problem.
_MESSAGE, _PROBLEM = 600, 280
UNSCALED = (
    "its scales are not applied here; take the model's 16-bit files, or "
    "dequantize it with transformers and save it in bfloat16"
)


class Problems:
    """What is wrong with a folder, told at once.

    In a ``with`` it remembers a ``ValueError`` and goes on behind the block.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, problem: str) -> None:
        """Remember a problem, once; the middle of a long one is left out."""
        problem = shortened(problem, _PROBLEM)
        if problem not in self.found:
            self.found.append(problem)

    def __enter__(self) -> "Problems":
        """Begin a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """End it; what it raised is remembered if it is a ``ValueError``."""
        if isinstance(error, ValueError):
            self.add(str(error))
        return error is None or isinstance(error, ValueError)

    def raise_for(self, what: str) -> None:
        """End with all that was found, if anything was.

        Args:
            what: what cannot be done, in words.

        Raises:
            ValueError: there are problems; the message has one line for
                each, and the number of those that it has no room for.
        """
        if not self.found:
            return
        told, room = [f"{what}:"], _MESSAGE - len(what)
        for problem in self.found:
            room -= len(problem) + 5
            if room < 0 and len(told) > 1:
                left = len(self.found) - len(told) + 1
                told.append(f"and {left} more; mend these first")
                break
            told.append(problem)
        raise ValueError("\n  - ".join(told))


def find_folder(place: str | Path, *, revision: str | None = None) -> Path:
    """Return the folder of a model, downloaded if it has to be.

    Args:
        place: a folder, or the name of a repository on the Hugging Face
            hub. Only JSON, safetensors and ``merges.txt`` come from there.
        revision: branch, tag or commit of the repository.

    Raises:
        ValueError: it is neither, or the download failed.
    """
    if Path(place).is_dir():
        return Path(place)
    if isinstance(place, Path) or not _REPO.fullmatch(place):
        raise ValueError(
            f"there is no folder {place}; give one that holds {CONFIG} and "
            f"{WEIGHTS}, or the name of a repository"
        )
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415
    except ImportError as error:
        need = (
            f"there is no folder {place}, and downloading a repository of "
            "this name needs huggingface_hub"
        )
        raise ValueError(import_failure(need, "hub", error)) from error
    try:
        folder = snapshot_download(
            place,
            revision=revision,
            allow_patterns=list(WANTED),
            ignore_patterns=["*/*"],  # copies in other formats
        )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"there is no folder {place}, and no repository of this name "
            f"could be downloaded: {error}"
        ) from error
    return Path(folder)


def read_settings(path: Path) -> dict[str, Any]:
    """Return what a JSON file says.

    Raises:
        ValueError: the file is missing, or holds anything but one object.
    """
    try:
        settings = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path.name} holds no object with named values")
    return settings


def read_tensors(
    folder: Path, framework: Literal["pt", "np"], problems: Problems
) -> dict[str, Any]:
    """Return all tensors by name.

    Under PyTorch each is a view of its file, of which the system reads what
    is touched; what is written into it stays in memory.

    Args:
        folder: holds one file, or several and an index.
        framework: ``"pt"`` for tensors of PyTorch, ``"np"`` for arrays.
        problems: takes what is wrong with the files.
    """
    tensors: dict[str, Any] = {}
    for file, promised in _weight_files(folder, problems).items():
        try:
            with safe_open(folder / file, framework) as source:
                names = _readable(source, framework, problems)
                found = {name: source.get_tensor(name) for name in names}
        except (OSError, SafetensorError, TypeError) as error:
            told = shortened(str(error), 120)
            problems.add(f"{file} cannot be read: {told}; fetch it again")
            continue
        absent = promised - set(found)
        if absent:
            problems.add(
                f"{file} lacks {listed(absent)}, told by {INDEX}; fetch both "
                "again, from one place"
            )
        twice = set(found) & set(tensors)
        if twice:
            problems.add(f"{file} repeats {listed(twice)}")
        tensors |= found
    if not tensors and not problems.found:
        problems.add("there are no tensors in the files; fetch them again")
    return tensors


def _readable(source: Any, framework: str, problems: Problems) -> list[str]:
    """Names of tensors; NumPy has no numbers of eight bits or fewer."""
    names = list(source.keys())
    kinds = {name: source.get_slice(name).get_dtype() for name in names}
    for kind in sorted(set(kinds.values()) if framework == "np" else ()):
        if kind.startswith(("F8", "F6", "F4")):
            held = [name for name in names if kinds[name] == kind]
            names = [name for name in names if kinds[name] != kind]
            problems.add(f"{listed(held)} hold {kind}: {UNSCALED}")
    return names


def listed(names: Collection[str], most: int = 3) -> str:
    """Return the first names in order, and how many more there are.

    Args:
        names: any number of them.
        most: how many are told.
    """
    first = [shortened(name, 80) for name in sorted(names)[:most]]
    left = len(names) - len(first)
    return ", ".join(first) + (f" and {left} more" if left else "")


def shortened(text: str, most: int) -> str:
    """Return a text whose middle is left out where it is long.

    What a message begins with says what is wrong, and its end what to do.

    Args:
        text: any.
        most: number of characters from which on it is cut.
    """
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]} … {text[-end:]}"


def _weight_files(folder: Path, problems: Problems) -> dict[str, set[str]]:
    """The files to read, each with the names that the index puts there."""
    if (folder / WEIGHTS).is_file():
        return {WEIGHTS: set()}
    if (folder / INDEX).is_file():
        return _indexed(folder, problems)
    problems.add(f"there is no {WEIGHTS} and no {INDEX}")
    _tell_what_lies_there(folder, problems)
    return {}


def _tell_what_lies_there(folder: Path, problems: Problems) -> None:
    """Say why the files that lie in place of weights are not read."""
    names = {path.name for path in folder.iterdir()}
    if _ADAPTER in names:
        problems.add(
            f"{_ADAPTER} says that this is an adapter, and no model: load it "
            "with peft on its base model, merge_and_unload(), and save that"
        )
        return
    pickled = {name for name in names if name.endswith(_PICKLES)}
    if pickled:
        problems.add(
            f"{listed(pickled)} could run code when read, and is not: load "
            "it with transformers, if you trust who wrote it, and "
            "save_pretrained writes safetensors"
        )
    other = {name for name in names if name.endswith(".safetensors")}
    if other:
        problems.add(
            f"{listed(other)} is not read: fetch the {INDEX} that belongs to "
            f"it, or call it {WEIGHTS} if it holds all weights"
        )


def _indexed(folder: Path, problems: Problems) -> dict[str, set[str]]:
    files: dict[str, set[str]] = {}
    with problems:
        for name, file in _placed(read_settings(folder / INDEX)).items():
            files.setdefault(file, set()).add(name)
    strange = {f for f in files if not _is_plain(f)}
    if strange:
        problems.add(
            f"{INDEX} names {listed(strange)}; it may name only safetensors "
            "files beside it"
        )
    absent = {f for f in set(files) - strange if not (folder / f).is_file()}
    if absent:
        problems.add(
            f"{listed(absent)} missing, told by {INDEX}; fetch what is missing"
        )
    return {f: files[f] for f in sorted(set(files) - strange - absent)}


def _placed(index: Mapping[str, Any]) -> dict[str, str]:
    places = index.get("weight_map")
    if not isinstance(places, dict) or not all(
        isinstance(file, str) for file in places.values()
    ):
        raise ValueError(f"{INDEX} has no weight_map from tensors to files")
    return places


def _is_plain(file: str) -> bool:
    # The second separator: a checkpoint may be opened on another system.
    return file.endswith(".safetensors") and not set(file) & {"/", "\\", "\0"}


def weights_in(folder: Path) -> set[str]:
    """Return the names of files that hold a model's weights.

    A broken index names nothing, and none names a file elsewhere.
    """
    return {WEIGHTS, INDEX, *_indexed(folder, Problems())}
