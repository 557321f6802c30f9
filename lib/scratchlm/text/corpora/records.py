"""A document and the fields that came with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scratchlm.text.corpora.faults import RecordError


@dataclass(frozen=True)
class Record:
    """A document as it stands in a file.

    Args:
        text: the document.
        fields: all fields of the record that held it, that of the text
            included; empty where the file has no records.
    """

    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def with_text(self, text: str) -> "Record":
        """The same record with another text."""
        return Record(text, self.fields)

    def row(self, column: str) -> dict[str, Any]:
        """The fields, with the text where it belongs.

        Args:
            column: the name of the text's field, or the names on the way to
                it with dots between.

        Raises:
            ValueError: the way leads through something without fields.
        """
        return _placed(self.fields, path_in(self.fields, column), self.text)


def path_in(fields: Mapping[str, Any], column: str) -> list[str]:
    """The names on the way to a field.

    A field whose own name has the dots goes before those within fields.
    """
    return [column] if column in fields else column.split(".")


def text_in(fields: Mapping[str, Any], column: str, place: str) -> str:
    """The text of a record.

    Args:
        fields: the record.
        column: as in :meth:`Record.row`.
        place: where it is, for the message.

    Raises:
        RecordError: there is no such field, or no text in it.
    """
    value: Any = fields
    for name in path_in(fields, column):
        if not isinstance(value, Mapping) or name not in value:
            raise no_column(place, column, _names(fields))
        value = value[name]
    if not isinstance(value, str):
        raise RecordError(
            place,
            f"has {str(value)[:40]!r} under {column!r}, which is no string",
            "name the column that holds the text, or drop the record",
        )
    check_encodable(value, place)
    return value


def _placed(fields: object, path: list[str], text: str) -> dict[str, Any]:
    """A copy along the way alone: the rest is shared."""
    if not isinstance(fields, Mapping):
        raise ValueError(
            f"cannot put a text under {path[0]!r} of {str(fields)[:40]!r}, "
            "which has no fields; name another column"
        )
    name, *rest = path
    inner = _placed(fields.get(name, {}), rest, text) if rest else text
    return {**fields, name: inner}


def _names(fields: Mapping[str, Any], before: str = "") -> list[str]:
    """All names by which a field can be asked for."""
    names = []
    for name, value in fields.items():
        names.append(f"{before}{name}")
        if isinstance(value, Mapping):
            names += _names(value, f"{before}{name}.")
    return names


def no_column(place: str, column: str, found: list[str]) -> RecordError:
    """The error for a missing column."""
    names = ", ".join(map(repr, found)) or "none"
    return RecordError(
        place,
        f"has no column {column!r}",
        f"it has {names}; name the one that holds the text",
    )


def check_encodable(text: str, place: str) -> None:
    r"""Refuse half a character.

    JSON can write one, ``"\ud83d"``, and no file can hold it.

    Raises:
        RecordError: the text holds a lone surrogate.
    """
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        raise RecordError(
            place,
            f"holds half a character, U+{ord(text[error.start]):04X}, at "
            f"character {error.start:,} of its text",
            "UTF-8 cannot write it, so drop the record or repair what cut "
            "the text",
        ) from None
