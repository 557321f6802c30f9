"""Put computed values where the prose can quote them."""

from myst_nb import glue as glue_one


def glue(**values: object) -> None:
    """Glue each value under its name, with dashes for underscores.

    Chapter: book/notation.md.

    ``glue(bytes_per_token=3.9)`` lets the page write
    ``{glue:text}`bytes-per-token:.1f```. Nothing is displayed.

    Args:
        **values: what the page quotes; numbers can be formatted there.
    """
    for name, value in values.items():
        glue_one(name.replace("_", "-"), value, display=False)
