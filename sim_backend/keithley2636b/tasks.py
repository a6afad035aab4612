"""Tasks of the bench's clock, under the name that this package's modules know them by."""

from sim_backend.tasks import Signal, Steps, Task, Until, Wait

__all__ = ["Signal", "Steps", "Task", "Until", "Wait"]
