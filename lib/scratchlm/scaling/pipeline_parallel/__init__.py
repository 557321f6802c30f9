"""Layers of one model on several ranks."""

from scratchlm.scaling.pipeline_parallel.actions import Action, Kind, Schedule
from scratchlm.scaling.pipeline_parallel.costs import (
    bubble,
    interleaved_in_flight,
    message_bytes,
    zb_h1_bubble,
)
from scratchlm.scaling.pipeline_parallel.schedules import (
    gpipe,
    interleaved,
    one_forward_one_backward,
    zb_h1,
    zb_v,
)
from scratchlm.scaling.pipeline_parallel.simulator import (
    Durations,
    Event,
    Timeline,
    simulate,
)

__all__ = [
    "Action",
    "Durations",
    "Event",
    "Kind",
    "Schedule",
    "Timeline",
    "bubble",
    "gpipe",
    "interleaved",
    "interleaved_in_flight",
    "message_bytes",
    "one_forward_one_backward",
    "simulate",
    "zb_h1",
    "zb_h1_bubble",
    "zb_v",
]
