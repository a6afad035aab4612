"""Measured device models for simulations: what ``labctl export-model`` wrote, evaluated with numpy alone.

The file is JSON, documented in docs/models.md. ``load_model("model.json")`` gives a ``Model``::

    model = load_model("model.json")
    p = model.activation("neuron-01", "initial").probability(field=0.2e6)
    bell = model.transfer("pristine", "forward")
    output = bell.normalised(volts)
"""

from labctl.analysis.model.neuron import Activation
from labctl.analysis.model.parts import FORMAT, VERSION, ModelError, Value
from labctl.analysis.model.reading import Model, load_model
from labctl.analysis.model.transistor import Conditioned, PulseChange, Response, Retention, Transfer

__all__ = [
    "FORMAT", "VERSION", "Activation", "Conditioned", "Model", "ModelError", "PulseChange", "Response", "Retention",
    "Transfer", "Value", "load_model",
]  # fmt: skip
