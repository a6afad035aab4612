"""Sources put on terminals and taken off: relays, output relays, cables in an operator's hands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from labctl.bench.opening import OpenBench
from labctl.plan import operations as o

#: asks the operator to carry out a step (name for --confirm, what to do); returns when done, raises StopRun if refused
AskOperator = Callable[[str, str], None]


class Switching:
    """The connections of one opened bench."""

    def __init__(self, bench: OpenBench, ask_operator: AskOperator) -> None:
        self._bench = bench
        self._ask = ask_operator
        self._plugged: dict[str, str] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def arm(self, op: o.Arm) -> None:
        self._bench.channel(op.source).limit(op.low, op.high)

    def hold(self, op: o.Hold, variables: dict[str, float]) -> None:
        self._bench.channel(op.source).hold(op.level.at(variables), op.compliance)

    def count(self, terminal: str) -> int:
        """Switchings of a terminal in this run, this one included."""
        self._counts[terminal] += 1
        return self._counts[terminal]

    def lay(self, op: o.Connect | o.Release) -> None:
        """Quiet the sources that must not be on the terminal, then connect the one that shall."""
        for rival in op.quiet:
            self._bench.channel(rival).isolate()
        if isinstance(op, o.Release):
            return
        self._plug(op)
        if op.line:
            self._bench.line(op.line, op.level)
            self._bench.clock.sleep(op.time)

    def _plug(self, op: o.Connect) -> None:
        """Have the operator plug or unplug what is not switched; nothing is asked when it is so already."""
        wanted = op.source if op.manual else ""
        present = self._plugged.get(op.terminal, "")
        if present == wanted:
            return
        if present:
            self._bench.channel(present).isolate()
            self._ask(f"{present}_off_{op.terminal}", f"take {present} off {op.terminal} and restore its usual cable")
            self._bench.unplug(present)
        if wanted:
            self._ask(op.label, op.operator)
            self._bench.plug(wanted)
        self._plugged[op.terminal] = wanted
