"""Check every jaxtyping shape and type of the package while tests run."""

import hypothesis
from jaxtyping import install_import_hook

install_import_hook("scratchlm", "beartype.beartype")

# A time limit for one example tests the machine, not the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")
