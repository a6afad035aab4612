"""WSe2/MoS2 anti-ambipolar transistor and its control devices, in closed form (reference part 2b)."""

from sim_backend.devices.aab.device import AabTransistor, Passage
from sim_backend.devices.aab.parameters import AabParameters, make_parameters, spread

__all__ = ["AabParameters", "AabTransistor", "Passage", "make_parameters", "spread"]
