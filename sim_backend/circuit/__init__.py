"""One circuit for all sources and the device (design, section 6).

Instruments use ``Port`` and ``Waveform``; the bench and the tests use ``Circuit``.
"""

from sim_backend.circuit.circuit import Circuit, Extremes
from sim_backend.circuit.port import Port
from sim_backend.circuit.waveform import Waveform, pulse

__all__ = ["Circuit", "Extremes", "Port", "Waveform", "pulse"]
