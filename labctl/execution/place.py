"""Where an execution stands: loop variables and columns, and what is connected."""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl.plan import operations as o


@dataclass
class Place:
    """Loop variables (SI), loop columns of rows, and the latest connection of each terminal and hold of each source."""

    variables: dict[str, float] = field(default_factory=dict)
    loops: dict[str, float | int] = field(default_factory=dict)
    laid: dict[str, o.Connect | o.Release] = field(default_factory=dict)
    held: dict[str, o.Hold] = field(default_factory=dict)

    def copy(self) -> Place:
        return Place(dict(self.variables), dict(self.loops), dict(self.laid), dict(self.held))
