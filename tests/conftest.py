"""Check every jaxtyping shape and type of the package while tests run."""

from jaxtyping import install_import_hook

install_import_hook("scratchlm", "beartype.beartype")
