"""The simulated B1500A: its command queue, buffers and status byte, and what its commands call (reference b1500a)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence

from sim_backend.b1500a.buffers import DataBuffer, QueryBuffer
from sim_backend.b1500a.commands import COMMANDS
from sim_backend.b1500a.errors import ErrorQueue, FlexError
from sim_backend.b1500a.formats import channel_letter
from sim_backend.b1500a.measuring import Measurements
from sim_backend.b1500a.meter import Meter
from sim_backend.b1500a.options import Options
from sim_backend.b1500a.ranges import SMUS
from sim_backend.b1500a.settings import Setup
from sim_backend.b1500a.smu import Interlock, Smu
from sim_backend.b1500a.syntax import Command, commands_of
from sim_backend.context import InstrumentContext
from sim_backend.tasks import Signal, Steps, Task

_DATA, _WAIT, _INTERLOCK, _READY, _ERROR, _REQUEST = 1, 2, 8, 16, 32, 64
#: commands that stand alone in their line
_LONE = ("BC",)

Line = list[Command | FlexError]


class SimulatedB1500A:
    """A B1500A mainframe as FLEX sees it. Its SMUs drive the ports named by their slots.

    Attributes:
        errors: the error queue; its ``entries`` are shared with the WGFMU library of the same mainframe.
        logical: program channel -> slot, as ACH has set.
    """

    def __init__(self, context: InstrumentContext) -> None:
        self.context = context
        self.options = Options.from_mapping(context.options)
        self.clock = context.clock
        self.setup: Setup = self._new_setup()
        self.errors = ErrorQueue(self.options.error_queue_size)
        self.replies = QueryBuffer()
        self.data = DataBuffer(self.options.status_fill)
        self.interlock = Interlock(self.options.interlock)
        self.logical: dict[int, int] = {}
        self.letters: dict[int, str] = {}
        self.variables: dict[tuple[int, int], float] = {}
        self.request_mask = 0
        self.timer_starts_with: int | None = None
        self.smus = {
            slot: Smu(slot, SMUS[model], context.ports[str(slot)], context.clock, self.options, self.interlock)
            for slot, model in sorted(self.options.slots.items())
            if model in SMUS
        }
        self.meters = {slot: self._meter(smu) for slot, smu in self.smus.items()}
        self.name_channels()
        self.measurements = Measurements(
            context.clock, self.options, self.setup, self.smus, self.meters, self.letters, self.data
        )
        self._programs: dict[int, list[Command]] = {}
        self._recording: int | None = None
        self._partial = b""
        self._lines: deque[Line] = deque()
        self._task: Task | None = None
        self._pumping = False
        self._working = False  # a command is under way that takes time by itself
        self._stoppable = False  # ... and AB can stop it
        self._aborting = False  # AB waits behind commands that are read before it
        self._triggered = Signal()
        self._waiting = False
        self._requesting = False
        self._seen = 0
        context.lines.listen(f"{context.name}.interlock", self.set_interlock)

    # -- the VISA layer ----------------------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool) -> None:
        """Bytes of command lines; END ends a line as LF does."""
        if self.options.easyexpert:
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        if end and self._partial:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._receive(line)
        self._pump()

    def read(self, count: int) -> tuple[bytes, bool]:
        """Replies to queries first, then measured data."""
        return self.replies.take(count) if self.replies else self.data.take(count)

    def pending(self) -> bool:
        """What commands that are just being read may still clear is not there yet."""
        if self._task is not None and not self._working:
            return False
        return bool(self.replies) or bool(self.data)

    def status_byte(self) -> int:
        """Status byte; nothing is cleared by looking at it."""
        return self._status(self._task is None and not self._lines)

    def own_status(self) -> int:
        """Status byte as a command finds it: what it is part of is not counted as running."""
        return self._status(not self._lines)

    def _status(self, idle: bool) -> int:
        conditions = self._conditions(idle)
        if conditions & ~self._seen & self.request_mask:
            self._requesting = True
        self._seen = conditions
        return conditions | (_REQUEST if self._requesting else 0)

    def serial_poll(self) -> int:
        """Status byte as the bus reads it: service request and error bit are cleared."""
        byte = self.status_byte()
        self._requesting = False
        if not self.request_mask & _ERROR:
            self.errors.flag = False
        return byte

    def clear(self) -> None:
        """Device clear: as *RST at once, whatever runs."""
        self._stop()
        self._aborting = False
        self._lines.clear()
        self._partial = b""
        self._recording = None
        self.reset()

    def trigger(self) -> None:
        """Group execute trigger: XE in trigger mode 1, and the end of a PA without time."""
        if self._waiting:
            self._triggered.fire()
        elif self.setup.trigger_mode == 1:
            self._lines.append([Command("XE", ())])
            self._pump()
        else:
            self.errors.put(FlexError(211))

    # -- the bench ---------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> str:
        """Reply to *IDN?."""
        return f"Agilent Technologies,B1500A,{self.context.serial or '0'},{self.options.firmware}"

    @property
    def has_cmu(self) -> bool:
        return any(model.startswith("B1520A") for model in self.options.slots.values())

    def set_interlock(self, closed: bool) -> None:
        """The safety interlock closes or opens; opening it drops the outputs that need it (F19)."""
        self.interlock.closed = closed
        if not closed:
            for slot, smu in self.smus.items():
                if smu.drop():
                    self.errors.put(FlexError(290, f"CHANNEL{slot}"))

    # -- what commands ask for ---------------------------------------------------------------------------------------

    def slot_of(self, channel: int) -> int:
        """Slot of a channel number in either form, 3 or 301.

        Raises:
            FlexError: 121.
        """
        slot, sub = divmod(channel, 100) if channel > 100 else (channel, 1)
        if slot not in self.options.slots or sub not in (1, 2):
            raise FlexError(121)
        return slot

    def channel_number(self, channel: int) -> int:
        """Slot that a command's channel parameter means, logical channels regarded.

        Raises:
            FlexError: 121 no module there, 151 second sub-channels take no FLEX commands.
        """
        slot = self.logical.get(channel) or self.slot_of(channel)
        if channel > 100 and channel % 100 == 2:
            raise FlexError(151, f"CHANNEL{channel}")
        return slot

    def smu(self, slot: int) -> Smu:
        """SMU in a slot.

        Raises:
            FlexError: 151, the module is none.
        """
        if slot not in self.smus:
            raise FlexError(151, f"CHANNEL{slot}01")
        return self.smus[slot]

    def check_range(self, slot: int, code: int, volts: bool) -> None:
        """Raises FlexError 124 unless the module has this range."""
        module = self.smu(slot).module
        try:
            module.voltage_range(code) if volts else module.current_range(code)
        except KeyError:
            raise FlexError(124, f"CHANNEL{slot}") from None

    def name_channels(self) -> None:
        """Letters of data headers: those of program channels where ACH has named some."""
        names = {slot: program for program, slot in self.logical.items()}
        for slot in self.smus:
            self.letters[slot] = channel_letter(names.get(slot, slot))

    def output_started(self, slot: int) -> None:
        """A DV or DI has been carried out."""
        if self.timer_starts_with == slot:
            self.timer_starts_with = None
            self.measurements.timer = self.clock.now

    def put_time(self, slot: int | None) -> None:
        """A time stamp as a record of its own; without slot under no channel."""
        self.data.begin()
        self.data.put(self.measurements.time(self.clock.now, "Z" if slot is None else self.letters[slot]))
        self.data.end()

    def measure(self) -> Steps[None]:
        """What XE starts."""
        if self._aborting:
            return
        self.data.begin()
        self._stoppable = True
        try:
            yield from self.measurements.run()
        finally:
            self._stoppable = False
            self.data.end()

    def pause(self, seconds: float | None) -> Steps[None]:
        """PA: for a time, or until a trigger comes."""
        if self._aborting:
            return
        self._waiting = self._stoppable = True
        try:
            yield self._triggered if seconds is None else seconds
        finally:
            self._waiting = self._stoppable = False

    def start_program(self, number: int) -> None:
        """Commands are kept as internal program ``number`` until END."""
        self._recording, self._programs[number] = number, []

    def run_programs(self, numbers: Sequence[int]) -> Steps[None]:
        """DO."""
        for number in numbers:
            yield from self._carry_out(self._programs.get(number, []))

    def reset(self) -> None:
        """*RST: initial settings, outputs off, buffers empty; the error queue stays."""
        for smu in self.smus.values():
            smu.reset()
        self.setup = self.measurements.setup = self._new_setup()
        self.logical.clear()
        self.name_channels()
        self.replies.clear()
        self.data.clear()
        self.data.format = self.setup.fmt
        self.timer_starts_with = None
        self.errors.flag = False
        self._requesting = False

    # -- details -----------------------------------------------------------------------------------------------------

    def _new_setup(self) -> Setup:
        return Setup(
            auto_calibration=self.options.initial_auto_calibration, sampling_post=self.options.initial_sampling_post
        )

    def _meter(self, smu: Smu) -> Meter:
        others = [other for other in self.smus.values() if other is not smu]
        return Meter(
            smu,
            self.clock,
            self.context.draws,
            self.context.name,
            self.options,
            self.context.noise,
            self.context.line_frequency,
            lambda: self.setup,
            lambda: max(each.changed_at for each in self.smus.values()),
            lambda: any(other.limited() for other in others),
        )

    def _conditions(self, idle: bool) -> int:
        bits = _DATA if self.data else 0
        bits |= _WAIT if self._waiting else 0
        bits |= 0 if self.interlock.closed else _INTERLOCK
        bits |= _READY if idle else 0
        return bits | (_ERROR if self.errors.flag else 0)

    def _receive(self, raw: bytes) -> None:
        if len(raw) + 1 > self.options.line_limit or self._waiting_commands() > self.options.input_buffer:
            self.errors.put(FlexError(150))
            return
        line = commands_of(raw.decode("latin-1"))
        if line and isinstance(line[0], Command) and line[0].header == "AB" and self._recording is None:
            line = line[:1]
            if self._abort():
                return
        if len(line) > 1 and any(isinstance(c, Command) and c.header in _LONE for c in line):
            line = [FlexError(103) if isinstance(c, Command) and c.header in _LONE else c for c in line]
        if line:
            self._lines.append(line)

    def _waiting_commands(self) -> int:
        return sum(map(len, self._lines))

    def _abort(self) -> bool:
        """AB arrives: a measurement or pause ends where it stands, outputs stay; False if none runs.

        Commands that came before and are yet to be read are carried out, up to what would take time.
        """
        if self._stoppable:
            self._stop()
            if self.options.abort_discards_queue:
                self._lines.clear()
            return True
        self._aborting = self._task is not None or bool(self._lines)
        return False

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._waiting = self._working = self._stoppable = False

    def _pump(self) -> None:
        """Take lines in turn until one needs time."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._lines and self._task is None:
                line = self._lines.popleft()
                self._task = Task(self.clock, self._carry_out(line), self._finished)
                self._task.start()
        finally:
            self._pumping = False

    def _finished(self) -> None:
        self._task = None
        self._pump()

    def _carry_out(self, line: Sequence[Command | FlexError]) -> Steps[None]:
        for entry in line:
            yield self.options.command_time
            try:
                if isinstance(entry, FlexError):
                    raise entry
                if entry.header == "AB":
                    self._aborting = False
                    return
                result = self._run(entry)
                if isinstance(result, str):
                    self.replies.put(result)
                elif isinstance(result, Generator):
                    self._working = True
                    yield from result
            except FlexError as error:
                self.errors.put(error)
            finally:
                self._working = False

    def _run(self, entry: Command) -> str | Steps[None] | None:
        """Carry one command out, or keep it for an internal program.

        Raises:
            FlexError
        """
        if self._recording is not None:
            if entry.header == "END":
                self._recording = None
            else:
                self._programs[self._recording].append(entry)
            return None
        spec = COMMANDS.get(entry.header)
        if spec is None:
            raise FlexError(100)
        return spec.run(self, entry.parameters)
