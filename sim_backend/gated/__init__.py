"""Circuit of a gated device: sources that play scores together, nodes, and recordings of terminal currents."""

from sim_backend.gated.circuit import GatedCircuit
from sim_backend.gated.port import GatedPort
from sim_backend.gated.recording import RecordedBlock, Recording
from sim_backend.gated.score import Block, Cursor, Score, blocks

__all__ = ["Block", "Cursor", "GatedCircuit", "GatedPort", "RecordedBlock", "Recording", "Score", "blocks"]
