"""Error numbers of the B1500A and their texts (reference b1500a sec. 5)."""

from __future__ import annotations

NO_ERROR = "No Error."

#: texts that a source gives
_KNOWN = {
    100: "Undefined GPIB command.",
    102: "Incorrect numeric data syntax.",
    103: "Incorrect terminator position.",
    120: "Incorrect parameter value.",
    121: "Channel number must be 1 to 10.",
    122: "Number of channels must be corrected.",
    123: "Compliance must be set correctly.",
    124: "Incorrect range value for this channel.",
    200: "Channel output switch must be ON.",
    305: "Excess current in HPSMU.",
    620: "TGP specified incorrect I/O port.",
    3001: "RSU is not connected.",
}

#: texts written here from memory: the numbers are as likely as not, the wording is provisional
_PROVISIONAL = {
    126: "Pulse base and peak must be same polarity.",
    130: "Start and stop must be same polarity.",
    150: "Command input buffer is full.",
    151: "This command is not allowed to this channel.",
    152: "Cannot use failed module for this command.",
    202: "Interlock circuit must be shorted.",
    203: "Cannot enable channel.",
    204: "Cannot disable channel.",
    205: "DZ must be sent before RZ.",
    211: "TM1 must be set to use GET command.",
    212: "Compliance must be set when source type changes.",
    213: "Cannot perform self-test or calibration.",
    214: "Send MM before measurement trigger.",
    217: "Send PT to set pulse timing.",
    220: "Send WV or WI to set primary sweep source.",
    223: "Send PV or PI to set pulse source.",
    224: "Send PWV or PWI to set pulse sweep source.",
    290: "High voltage output dropped, interlock circuit is open.",
}

TEXTS = {**_KNOWN, **_PROVISIONAL}
PROVISIONAL = frozenset(_PROVISIONAL)


class FlexError(Exception):
    """A command that the instrument refuses; queued with ``code``.

    ``where`` names a place for the end of the text, such as ``CHANNEL3``.
    """

    def __init__(self, code: int, where: str = "") -> None:
        super().__init__(code, where)
        self.code = code
        self.where = where

    @property
    def text(self) -> str:
        said = TEXTS.get(self.code, "Unknown error.")
        return f"{said}; {self.where}" if self.where else said


class ErrorQueue:
    """At most ``size`` entries (code, text), oldest first; further ones are lost.

    ``entries`` is shared with the WGFMU library, which adds and drains there.
    """

    def __init__(self, size: int) -> None:
        self.entries: list[tuple[int, str]] = []
        self.flag = False  # bit 32 of the status byte
        self._size = size

    def put(self, error: FlexError) -> None:
        """Queue an error."""
        if len(self.entries) < self._size:
            self.entries.append((error.code, error.text))
        self.flag = True

    def next(self) -> tuple[int, str]:
        """Take the oldest entry; (0, "No Error.") when there is none."""
        self.flag = False
        return self.entries.pop(0) if self.entries else (0, NO_ERROR)

    def drain(self, count: int) -> list[int]:
        """The ``count`` oldest codes, zeros behind the last; the queue is empty then."""
        codes = [code for code, _ in self.entries[:count]]
        self.entries.clear()
        self.flag = False
        return codes + [0] * (count - len(codes))
