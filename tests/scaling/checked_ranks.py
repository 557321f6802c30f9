"""What the server imports once that all ranks of a test run are forked from.

A rank that imports the package for itself, with the checks of shapes and
types that the tests make, takes seconds of a core.
"""

import jaxtyping

jaxtyping.install_import_hook(["scratchlm"], "beartype.beartype")

import hypothesis  # noqa: E402, F401
import pytest  # noqa: E402, F401
import torch._dynamo  # noqa: E402  # the first optimizer imports it
import torch.distributed.tensor.parallel  # noqa: E402, F401

import scratchlm.scaling.collectives.conjugate  # noqa: E402
import scratchlm.scaling.collectives.rank_process  # noqa: E402
import scratchlm.scaling.context_and_expert_parallel  # noqa: E402
import scratchlm.scaling.data_parallel  # noqa: E402
import scratchlm.scaling.launching.worker  # noqa: E402
import scratchlm.scaling.meshes.engine  # noqa: E402
import scratchlm.scaling.pipeline_parallel  # noqa: E402
import scratchlm.scaling.tensor_parallel  # noqa: E402, F401
