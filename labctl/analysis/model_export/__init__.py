"""``labctl export-model``: what simulations of circuits and networks need of measured devices, as one JSON file.

The layout is documented in docs/models.md; ``labctl.analysis.model`` reads and evaluates it.
"""

from labctl.analysis.model_export.writing import export_model, model_of

__all__ = ["export_model", "model_of"]
