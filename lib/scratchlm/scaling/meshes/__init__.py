"""One model on ranks that share its work in several ways at once."""

from scratchlm.scaling.meshes.blocks import Block, Index, read_box
from scratchlm.scaling.meshes.engine import Engine
from scratchlm.scaling.meshes.mesh_checkpoint import (
    load_on_mesh,
    load_whole,
    save_on_mesh,
)
from scratchlm.scaling.meshes.mesh_parallel import MeshParallel
from scratchlm.scaling.meshes.parts import Cut, Parts
from scratchlm.scaling.meshes.process_mesh import ProcessMesh

__all__ = [
    "Block",
    "Cut",
    "Engine",
    "Index",
    "MeshParallel",
    "Parts",
    "ProcessMesh",
    "load_on_mesh",
    "load_whole",
    "read_box",
    "save_on_mesh",
]
