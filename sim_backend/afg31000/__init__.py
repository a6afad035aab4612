"""The simulated Tektronix AFG31000 (reference afg31000)."""

from sim_backend.afg31000.instrument import SimulatedAFG31000

__all__ = ["SimulatedAFG31000"]
