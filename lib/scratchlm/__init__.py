"""The package that the book *From Bytes to Assistant* derives."""

from importlib.metadata import version

__version__ = version("scratchlm")
