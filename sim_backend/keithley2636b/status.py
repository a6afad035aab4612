"""Status model: registers that summarise into each other up to the status byte (reference keithley2636b sec. 7)."""

from __future__ import annotations

from collections.abc import Callable

MSB, SSB, EAV, QSB, MAV, ESB, MSS, OSB = 1, 2, 4, 8, 16, 32, 64, 128
OPC, QYE, DDE, EXE, CME, URQ, PON = 1, 4, 8, 16, 32, 64, 128
INST = 8192


class Register:
    """Condition, event, enable and transition filters of one register set; ``bits`` names the defined bits."""

    def __init__(
        self, bits: dict[str, int], parent: Register | None = None, parent_bit: int = 0, unlatched: int = 0
    ) -> None:
        self.bits = bits
        self._defined = sum(bits.values())
        self._passing = self._defined & ~unlatched  # PTR after a status reset
        self._parent = parent
        self._parent_bit = parent_bit
        self._changed: Callable[[], None] | None = None
        self.condition = 0
        self.reset()

    def on_summary(self, changed: Callable[[], None]) -> None:
        """Call when the summary of this register may have changed (top of a branch)."""
        self._changed = changed

    def reset(self) -> None:
        """Status reset: event, enable and NTR to zero, PTR to all defined bits."""
        self._event = 0
        self._enable = 0
        self.ntr = 0
        self.ptr = self._passing
        self._summarise()

    def clear(self) -> None:
        """*CLS: events gone, transition filters as after power-on, enables kept."""
        self._event = 0
        self.ntr = 0
        self.ptr = self._passing
        self._summarise()

    def set(self, bit: int, on: bool) -> None:
        """Change one condition bit; latch the event if the transition filters let it pass."""
        before = self.condition
        self.condition = before | bit if on else before & ~bit
        if self.condition == before:
            return
        if bit & (self.ptr if on else self.ntr) & ~self._event:
            self._event |= bit
            self._summarise()

    def put(self, mask: int, bits: int) -> None:
        """Bring the condition bits of ``mask`` to ``bits``."""
        changed = (self.condition ^ bits) & mask
        if changed:
            for bit in self.bits.values():
                if bit & changed:
                    self.set(bit, bool(bit & bits))

    def latch(self, bit: int) -> None:
        """An event without a lasting condition."""
        self._event |= bit & self.ptr
        self._summarise()

    @property
    def enable(self) -> int:
        return self._enable

    @enable.setter
    def enable(self, mask: int) -> None:
        self._enable = mask & self._defined
        self._summarise()

    @property
    def summary(self) -> bool:
        return bool(self._event & self._enable)

    def read_event(self) -> int:
        """Latched events; reading clears them."""
        event, self._event = self._event, 0
        self._summarise()
        return event

    def _summarise(self) -> None:
        if self._parent is not None:
            self._parent.set(self._parent_bit, self.summary)
        elif self._changed is not None:
            self._changed()


class StatusModel:
    """All register sets by path; the status byte on top."""

    def __init__(self, message_available: Callable[[], bool]) -> None:
        self._message_available = message_available
        self._errors = False
        self.service_request = 0  # enable mask
        self.node_enable = 0
        self.request_event = 0
        self.node_event = 0
        standard = Register({"OPC": 1, "QYE": 4, "DDE": 8, "EXE": 16, "CME": 32, "URQ": 64, "PON": 128})
        operation = Register(
            {"CAL": 1, "SWE": 8, "MEAS": 16, "TRGOVR": 1024, "REM": 2048, "USER": 4096, "INST": INST, "PROG": 16384}
        )
        measurement = Register({"VLMT": 1, "ILMT": 2, "ROF": 128, "BAV": 256, "INT": 2048, "INST": INST})
        questionable = Register(
            {"CAL": 256, "UO": 512, "HIGHV_NOT_READY": 1024, "OTEMP": 4096, "INST": INST}, unlatched=1024
        )
        channels = {"SMUA": 2, "SMUB": 4}
        self.registers: dict[str, Register] = {
            "standard": standard,
            "operation": operation,
            "operation.calibrating": Register(channels, operation, 1),
            "operation.sweeping": Register(channels, operation, 8),
            "operation.measuring": Register(channels, operation, 16),
            "operation.trigger_overrun": Register(channels, operation, 1024),
            "operation.remote": Register({"CAV": 2, "PRMPT": 2048}, operation, 2048),
            "operation.user": Register({f"BIT{k}": 1 << k for k in range(15)}, operation, 4096),
            "operation.instrument": Register(channels, operation, INST),
            "measurement": measurement,
            "measurement.instrument": Register(channels, measurement, INST),
            "questionable": questionable,
            "questionable.instrument": Register(channels, questionable, INST),
        }
        for name, bit in (("smua", 2), ("smub", 4)):
            above = self.registers["operation.instrument"]
            own = Register({"CAL": 1, "SWE": 8, "MEAS": 16, "TRGOVR": 1024}, above, bit)
            self.registers[f"operation.instrument.{name}"] = own
            self.registers[f"operation.instrument.{name}.trigger_overrun"] = Register(
                {"ARM": 2, "SRC": 4, "MEAS": 8, "ENDP": 16}, own, 1024
            )
            self.registers[f"measurement.instrument.{name}"] = Register(
                {"VLMT": 1, "ILMT": 2, "ROF": 128, "BAV": 256}, self.registers["measurement.instrument"], bit
            )
            self.registers[f"questionable.instrument.{name}"] = Register(
                {"CAL": 256, "UO": 512, "OTEMP": 4096}, self.registers["questionable.instrument"], bit
            )
        for name in ("standard", "operation", "measurement", "questionable"):
            self.registers[name].on_summary(self._update)
        standard.latch(PON)

    def __getitem__(self, path: str) -> Register:
        return self.registers[path]

    def errors_present(self, present: bool) -> None:
        self._errors = present
        self._update()

    def byte(self) -> int:
        """Status byte: summaries, EAV, MAV, and MSS in bit 6."""
        summaries = self._summaries()
        return summaries | MSS if summaries & self.service_request else summaries

    def _summaries(self) -> int:
        r = self.registers
        return (
            MSB * r["measurement"].summary
            | EAV * self._errors
            | QSB * r["questionable"].summary
            | MAV * self._message_available()
            | ESB * r["standard"].summary
            | OSB * r["operation"].summary
        )

    def _update(self) -> None:
        bits = self._summaries() if hasattr(self, "registers") else 0
        self.request_event |= bits & self.service_request
        self.node_event |= bits & self.node_enable

    def reset(self) -> None:
        """status.reset(): every register set and the request enables."""
        self.service_request = self.node_enable = self.request_event = self.node_event = 0
        for register in self.registers.values():
            register.reset()

    def clear(self) -> None:
        """The status part of *CLS."""
        self.request_event = self.node_event = 0
        for register in self.registers.values():
            register.clear()
