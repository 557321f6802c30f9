"""One model on ranks that share its work in several ways at once."""

from scratchlm.scaling.meshes.process_mesh import ProcessMesh

__all__ = ["ProcessMesh"]
