"""All FLEX commands, one module per group of the reference's tables; importing registers them."""

from sim_backend.b1500a.commands import cmu, integration, measurement, output, spot, sweep, system
from sim_backend.b1500a.commands.table import COMMANDS, Spec

__all__ = ["COMMANDS", "Spec", "cmu", "integration", "measurement", "output", "spot", "sweep", "system"]
