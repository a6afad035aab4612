"""Advanced mode: waveform list, sequence table, settings (reference afg31000 sec. 12)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from sim_backend.afg31000.memory import Memories
from sim_backend.afg31000.tfwx import WaveformFile
from sim_backend.scpi import ScpiError

ELEMENTS: Final = 256
LOOPS: Final = 1_000_000
SKEW: Final = 320e-9
TIMER: Final = (2e-6, 3600.0)
SCALE: Final = (0.0, 1000.0)
_POINTS: Final = 16 * 2**20
_POINTS_LICENSED: Final = 128 * 2**20


@dataclass(frozen=True)
class Element:
    """One line of the sequence table; indices count from 1."""

    waveforms: tuple[str, str] = ("", "")
    loops: int = 1
    infinite: bool = False
    wait: bool = False
    wait_event: str = "BUS"
    wait_slope: str = "POS"
    jump_type: str = "OFF"
    jump_index: int = 1
    jump_event: str = "BUS"
    jump_slope: str = "POS"
    goto: bool = False
    goto_index: int = 1
    marker: bool = False


@dataclass
class Advanced:
    """What the Advanced mode keeps. Scale in % of the file's amplitude, offset in V shown, rate in S/s."""

    channels: int
    rate: float
    run_mode: str = "CONT"
    skew: float = 0.0
    timer: float = 1e-3
    scale: list[float] = field(default_factory=lambda: [100.0, 100.0])
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0])
    elements: list[Element] = field(default_factory=list)
    waveforms: dict[str, WaveformFile] = field(default_factory=dict)

    def set_run_mode(self, mode: str) -> None:
        """Another run mode empties the waveform list and the table."""
        self.run_mode = mode
        self.new()
        self.waveforms.clear()

    def new(self) -> None:
        """SEQuence:NEW."""
        self.elements.clear()

    def set_length(self, length: int) -> None:
        """SEQuence:LENGth: the tail is lost, new elements are empty."""
        del self.elements[length:]
        self.elements += [Element()] * (length - len(self.elements))

    def element(self, number: int) -> Element:
        """-222 beyond the length of the sequence."""
        if number > len(self.elements):
            raise ScpiError(-222, f"element {number}")
        return self.elements[number - 1]

    def change(self, number: int, **fields: Any) -> None:
        """Change one element."""
        self.elements[number - 1] = replace(self.element(number), **fields)

    def put(self, number: int, channel: int, name: str) -> None:
        """Waveform of one channel of an element: -256 if not in the list, -221 if its length differs."""
        element = self.element(number)
        waveform = self.find(name)
        others = [w for c, w in enumerate(element.waveforms, start=1) if w and c != channel]
        if any(len(self.find(other).samples) != len(waveform.samples) for other in others):
            raise ScpiError(-221, "waveforms of one element differ in length")
        names = list(element.waveforms)
        names[channel - 1] = name
        self.change(number, waveforms=(names[0], names[1]))

    def load(self, name: str, memories: Memories, licensed: bool) -> None:
        """WLISt:WAVeform:IMPort."""
        waveform = memories.waveform_file(name)
        used = sum(len(w.samples) for key, w in self.waveforms.items() if key != name)
        if used + len(waveform.samples) > (_POINTS_LICENSED if licensed else _POINTS):
            raise ScpiError(-223, "waveform memory")
        self.waveforms[name] = waveform

    def find(self, name: str) -> WaveformFile:
        """A waveform of the list by the name it was loaded with; -256."""
        try:
            return self.waveforms[name]
        except KeyError:
            raise ScpiError(-256, name) from None

    def unload(self, name: str) -> None:
        """WLISt:WAVeform:DELete."""
        self.find(name)
        del self.waveforms[name]

    def validate(self) -> None:
        """Whether SEQControl:RUN can start: -221 with what is missing."""
        if not self.elements:
            raise ScpiError(-221, "the sequence is empty")
        for number, element in enumerate(self.elements, start=1):
            if not any(element.waveforms[: self.channels]):
                raise ScpiError(-221, f"element {number} has no waveform")
            for name in filter(None, element.waveforms):
                self.find(name)
            indices = [element.goto_index] * element.goto
            indices += [element.jump_index] * (element.jump_type == "IND")
            if any(index > len(self.elements) for index in indices):
                raise ScpiError(-221, f"element {number} leads beyond the sequence")

    def save(self) -> bytes:
        """Content of a .seq file."""
        return json.dumps([asdict(element) for element in self.elements]).encode()

    def open(self, content: bytes) -> None:
        """Take a .seq file; -224 when it is something else."""
        try:
            lines = json.loads(content)
            elements = [Element(**{**line, "waveforms": tuple(line["waveforms"])}) for line in lines]
        except (ValueError, TypeError, KeyError):
            raise ScpiError(-224, "no sequence file") from None
        self.elements = elements
