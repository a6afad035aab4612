"""What a plan will take: instrument time, pulses, rows.

The plan is walked once with the drivers' own times (``times``), which remember what the drivers and instruments would:
outputs, settings, ranges. Loops are walked until a pass leaves things as it found them, and multiplied from there:
the work grows with the text and the values of its loops, not with the number of pulses. Where autorange depends on the
device, the walk is made for several resistances that the bench file expects.
"""

from labctl.plan.cost.predict import predict

__all__ = ["predict"]
