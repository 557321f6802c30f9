"""Colours of code on paper: those of the pages, dark enough for grey print."""

from typing import ClassVar

from pygments.style import Style
from pygments.token import (
    Comment,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)


class PrintStyle(Style):  # type: ignore[misc]
    """The PDF's highlighting."""

    background_color = "#F2F4F8"
    styles: ClassVar[dict[_TokenType, str]] = {
        Comment: "italic #666C75",
        Comment.Preproc: "noitalic #666C75",
        Keyword: "bold #234FA3",
        Keyword.Constant: "nobold #234FA3",
        Operator.Word: "bold #234FA3",
        Name.Builtin: "#1B1F26",
        Name.Class: "bold #1B1F26",
        Name.Function: "bold #1B1F26",
        Name.Decorator: "#6A1B6E",
        Name.Exception: "#A64500",
        String: "#0A6E4D",
        String.Doc: "italic #0A6E4D",
        String.Interpol: "#A64500",
        String.Escape: "#A64500",
        Number: "#A64500",
        Generic.Error: "#A64500",
        Generic.Traceback: "#A64500",
        Generic.Prompt: "#595F69",
    }
