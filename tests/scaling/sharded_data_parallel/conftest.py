"""The small models and rows of the chapter before."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import cloudpickle

_SPEC = spec_from_file_location(
    "unequal_rows", Path(__file__).parents[1] / "data_parallel/conftest.py"
)
_BEFORE = module_from_spec(_SPEC)
sys.modules["unequal_rows"] = _BEFORE
_SPEC.loader.exec_module(_BEFORE)
cloudpickle.register_pickle_by_value(_BEFORE)
tools, variants, small = _BEFORE.tools, _BEFORE.variants, _BEFORE.small
