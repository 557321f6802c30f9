"""What a caller may pass, and what to say where it is something else."""

from collections.abc import Iterable


def not_one_string(texts: Iterable[str], name: str = "texts") -> None:
    """Refuse a string where strings are due: it would be read by letters.

    Args:
        texts: what was passed.
        name: of the argument.

    Raises:
        ValueError: ``texts`` is a string.
    """
    if isinstance(texts, str):
        what = name.removesuffix("s")
        raise ValueError(
            f"{name} is one string; give a list of {name}, [{what}]"
        )


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not among those allowed.

    Args:
        name: of the argument.
        value: what was passed.
        allowed: what can be.

    Raises:
        ValueError: it is not.
    """
    if value not in allowed:
        names = " or ".join(map(repr, allowed))
        raise ValueError(f"{name} is {value!r}; give {names}")
