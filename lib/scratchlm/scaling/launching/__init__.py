"""Starting ranks on machines, and what to do when one of them fails."""

from scratchlm.scaling.launching.job_script import sbatch_script, torchrun
from scratchlm.scaling.launching.launch import Launch

__all__ = ["Launch", "sbatch_script", "torchrun"]
