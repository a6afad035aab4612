"""Simulated B1500A: a FLEX interpreter whose SMUs drive the bench's circuit.

``SimulatedB1500A`` is the instrument; ``Options`` lists what its documentation leaves open.
"""

from sim_backend.b1500a.instrument import SimulatedB1500A
from sim_backend.b1500a.options import Options

__all__ = ["Options", "SimulatedB1500A"]
