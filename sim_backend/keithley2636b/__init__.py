"""Simulated Keithley 2636B: real TSP in an embedded Lua, two channels that drive the bench's circuit.

``Simulated2636B`` is the instrument; ``Options`` lists what its documentation leaves open.
"""

from sim_backend.keithley2636b.instrument import Simulated2636B
from sim_backend.keithley2636b.options import Options

__all__ = ["Options", "Simulated2636B"]
