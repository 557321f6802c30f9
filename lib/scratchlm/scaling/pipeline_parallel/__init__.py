"""Layers of one model on several ranks."""

from scratchlm.scaling.pipeline_parallel.actions import Action, Kind, Schedule
from scratchlm.scaling.pipeline_parallel.activations import KeptActivations
from scratchlm.scaling.pipeline_parallel.costs import (
    bubble,
    interleaved_in_flight,
    message_bytes,
    zb_h1_bubble,
)
from scratchlm.scaling.pipeline_parallel.executor import (
    Pipeline,
    PipelineStep,
    linear_head_loss,
)
from scratchlm.scaling.pipeline_parallel.messages import Messages
from scratchlm.scaling.pipeline_parallel.schedules import (
    gpipe,
    interleaved,
    one_forward_one_backward,
    zb_h1,
    zb_v,
)
from scratchlm.scaling.pipeline_parallel.shared_weights import (
    add_shared_gradients,
    clip_gradients,
    gradient_norm,
    own_parameters,
)
from scratchlm.scaling.pipeline_parallel.simulator import (
    Durations,
    Event,
    Timeline,
    simulate,
)
from scratchlm.scaling.pipeline_parallel.stages import (
    Stage,
    split_layers,
    split_model,
)
from scratchlm.scaling.pipeline_parallel.weight_gradients import (
    WeightGradients,
)

__all__ = [
    "Action",
    "Durations",
    "Event",
    "KeptActivations",
    "Kind",
    "Messages",
    "Pipeline",
    "PipelineStep",
    "Schedule",
    "Stage",
    "Timeline",
    "WeightGradients",
    "add_shared_gradients",
    "bubble",
    "clip_gradients",
    "gpipe",
    "gradient_norm",
    "interleaved",
    "interleaved_in_flight",
    "linear_head_loss",
    "message_bytes",
    "one_forward_one_backward",
    "own_parameters",
    "simulate",
    "split_layers",
    "split_model",
    "zb_h1",
    "zb_h1_bubble",
    "zb_v",
]
