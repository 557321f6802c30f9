"""Colours of code on paper: few, dark enough to survive a grey printer."""

from typing import ClassVar

from pygments.style import Style  # type: ignore[import-untyped]
from pygments.token import (  # type: ignore[import-untyped]
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
    """The PDF's highlighting. Chapter: book/setup.md."""

    background_color = "#F2F5F8"
    styles: ClassVar[dict[_TokenType, str]] = {
        Comment: "italic #5F6770",
        Comment.Preproc: "noitalic #5F6770",
        Keyword: "bold #1F5A8C",
        Keyword.Constant: "nobold #1F5A8C",
        Operator.Word: "bold #1F5A8C",
        Name.Builtin: "#16191D",
        Name.Class: "bold #16191D",
        Name.Function: "bold #16191D",
        Name.Decorator: "#6A4A86",
        Name.Exception: "#9A4524",
        String: "#2B6A4D",
        String.Doc: "italic #2B6A4D",
        String.Interpol: "#9A4524",
        String.Escape: "#9A4524",
        Number: "#9A4524",
        Generic.Error: "#9A4524",
        Generic.Traceback: "#9A4524",
        Generic.Prompt: "#646B73",
    }
