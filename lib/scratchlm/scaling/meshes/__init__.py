"""One model on ranks that share its work in several ways at once."""

from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.scaling.meshes.parts import Cut, Parts
from scratchlm.scaling.meshes.process_mesh import ProcessMesh

__all__ = ["Cut", "MeshParallel", "Parts", "ProcessMesh"]
