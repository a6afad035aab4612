"""The simulated Keithley 2636B: built from its parts, and what the VISA layer calls."""

from __future__ import annotations

import time
from typing import Any

from sim_backend.context import InstrumentContext
from sim_backend.keithley2636b.bindings import source_text
from sim_backend.keithley2636b.buffer_store import BufferStore, Format
from sim_backend.keithley2636b.channel import Channel
from sim_backend.keithley2636b.commands import common_command
from sim_backend.keithley2636b.digio import DigitalPort
from sim_backend.keithley2636b.engine import CompileError, Engine, syntax_text
from sim_backend.keithley2636b.errors import ErrorQueue, TspError
from sim_backend.keithley2636b.events import EventBus
from sim_backend.keithley2636b.messages import CommandQueue
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.output import OutputQueue
from sim_backend.keithley2636b.publish_channel import publish
from sim_backend.keithley2636b.publish_status import publish_errors, publish_status
from sim_backend.keithley2636b.publish_system import (
    publish_format,
    publish_library,
    publish_localnode,
    publish_timing,
)
from sim_backend.keithley2636b.publish_trigger import TriggerSystem
from sim_backend.keithley2636b.source import Pace
from sim_backend.keithley2636b.status import CME, DDE, EXE, OPC, QYE, StatusModel
from sim_backend.tasks import Steps, Task

_FACTORY = {"KISweep": "kisweep.lua", "KIPulse": "kipulse.lua"}
_INTERLOCK, _HIGH_VOLTS_NOT_READY = 2048, 1024


class Simulated2636B:
    """One 2636B on the bench. Ports "a" and "b"; digital lines "<name>.digio.1" to 14."""

    def __init__(self, context: InstrumentContext) -> None:
        self.context = context
        self.options = Options.from_mapping(context.options)
        self.linefreq = float(context.line_frequency)
        self.autolinefreq = True
        self.prompts, self.prompts4882, self.showerrors = 0, 1, 0
        self.description = "Keithley SMU 2636B"
        self._clock = context.clock
        self._calendar = self.options.epoch
        self._interlock = self.options.interlock
        self.output = OutputQueue(context.clock, self.options.reply_time)
        self.status: StatusModel = StatusModel(lambda: bool(self.output))
        self.errors = ErrorQueue(self.options.error_queue_size, self.options.error_node, self.status.errors_present)
        self.format = Format()
        self._pace = Pace(context.clock)
        self._bus = EventBus()
        self._engine = Engine(
            {
                "emit": self._emit,
                "uniform": lambda seed, k: context.draws.uniform(f"{context.name}.lua", int(seed), int(k)),
                "now": self.now,
                "time": lambda: float(int(self._calendar + self.now())),
                "date": self._date,
            },
            self._report,
            lambda: self._pace.ahead,
            self.options.loop_time,
            self.options.endless_loop,
            self.options.memory,
        )
        self.channels = {
            name: Channel(
                name,
                context.ports[name],
                context,
                self.options,
                self._pace,
                self._bus,
                self.status,
                lambda: self._interlock,
                lambda: self.linefreq,
            )
            for name in ("a", "b")
        }
        self._digital = DigitalPort(context.name, context.lines, self._bus, self.options.digio_power_on)
        self._queue = CommandQueue(self, context.clock, self._pace, self.options.line_limit)
        self._build()
        self.set_interlock(self._interlock)
        context.lines.listen(f"{context.name}.interlock", self.set_interlock)

    # -- the VISA layer ----------------------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool) -> None:
        """Bytes of messages; END ends a message as LF does."""
        self._queue.feed(data, end, self._abort)

    def read(self, count: int) -> tuple[bytes, bool]:
        """Next bytes of the oldest reply, and whether its end is among them."""
        return self.output.take(count)

    def pending(self) -> bool:
        return bool(self.output)

    def status_byte(self) -> int:
        return self.status.byte()

    def clear(self) -> None:
        """Device clear: input, commands and replies are gone; settings and scripts in memory stay."""
        self._queue.clear()
        self.output.clear()

    def trigger(self) -> None:
        """GET, USBTMC TRIGGER, VXI-11 device_trigger: as *TRG."""
        self._trigger.command.trigger()

    # -- the bench ---------------------------------------------------------------------------------------------------

    def set_interlock(self, closed: bool) -> None:
        """The safety interlock closes or opens; opening drops outputs that need it."""
        self._interlock = closed
        self.status["measurement"].set(_INTERLOCK, closed)
        self.status["questionable"].set(_HIGH_VOLTS_NOT_READY, not closed)
        for channel in self.channels.values():
            if channel.source.drop_without_interlock():
                error = TspError(802)
                error.label = channel.label
                self._report(error)

    @property
    def relay_operations(self) -> dict[str, int]:
        """Operations of the output relays so far, by channel (F8)."""
        return {name: channel.source.relay_operations for name, channel in self.channels.items()}

    # -- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        bind = self._engine.bindings
        store = BufferStore(
            bind,
            self.format,
            self._reply,
            self.options.epoch,
            self.options.memory,
            self.options.range_error,
        )
        members: dict[str, Any] = {}
        for name, channel in self.channels.items():
            members[f"smu{name}"] = publish(bind.labelled(channel.label), channel, store, self.options, self._pace)
        self._trigger = TriggerSystem(bind, self._bus, self._clock, self._digital, self.options)
        members["trigger"] = self._trigger.trigger
        members["digio"] = self._trigger.digio
        members["tsplink"] = self._trigger.tsplink
        members["status"] = publish_status(bind, self.status, self.options.range_error)
        members["errorqueue"] = publish_errors(bind, self.errors)
        members["format"] = publish_format(bind, self.format)
        for name, value in members.items():
            bind.globals[name] = value
        localnode = publish_localnode(bind, self, members)
        bind.globals["localnode"] = localnode
        bind.globals["node"] = bind.table([localnode])
        publish_timing(bind, self)
        publish_library(bind, self, self._refuse)
        bind.global_function("printnumber", store.print_numbers)
        bind.member(bind.globals["display"], "trigger", self._trigger.display_trigger)
        self._build_network(localnode)
        scripts = bind.table({"syntax_error": bind.guarded(self._syntax_error), "refuse": bind.guarded(self._refuse)})
        self._scripts = bind.run_file("scripts.lua", bind.objects, bind.core, scripts)
        for name, file in _FACTORY.items():
            self._scripts.factory(source_text(file), name)
        self._engine.seal()

    def _build_network(self, localnode: Any) -> None:
        """tsplink and lan: nothing is connected, their triggers are there."""
        bind = self._engine.bindings
        tsplink = bind.globals["tsplink"]
        for name, value in {"node": 1, "group": 0, "master": 0, "state": "offline"}.items():
            bind.attribute(tsplink, name, lambda value=value: value)
        bind.function(tsplink, "reset", lambda *_: 1)
        lan = bind.object("lan")
        triggers = bind.object("trigger")
        for k, trigger in enumerate(self._trigger.lan_triggers, 1):
            bind.member(triggers, k, trigger)
        bind.member(lan, "trigger", triggers)
        status, port = bind.object("status"), bind.object("port")
        for name, number in {"dst": 5030, "rawsocket": 5025, "telnet": 23, "vxi11": 1024}.items():
            bind.attribute(port, name, lambda number=number: number)
        bind.member(status, "port", port)
        bind.member(lan, "status", status)
        bind.globals["lan"] = lan
        bind.member(localnode, "lan", lan)

    # -- replies and errors ------------------------------------------------------------------------------------------

    def _emit(self, text: str) -> None:
        self._reply(text.encode("latin-1"))

    def _reply(self, message: bytes) -> None:
        self._pace.do(lambda: self.output.put(message)) if self._pace.ahead else self.output.put(message)

    def _report(self, error: TspError) -> None:
        self.errors.put(error.code, error.text)
        self.status["standard"].latch(_standard_bit(error.code))

    def _refuse(self, code: int) -> None:
        self._report(TspError(int(code)))

    def _syntax_error(self, message: str) -> None:
        self._report(TspError(-285, text=syntax_text(message)))

    # -- what the command queue calls (messages.Interpreter) ---------------------------------------------------------

    def chunk(self, line: str) -> Steps[None]:
        try:
            compiled = self._engine.compile(line)
        except CompileError as error:
            self._report(TspError(-285, text=str(error)))
            return
        yield from self._engine.run(compiled)

    def common(self, command: str) -> Steps[None] | None:
        return common_command(self, command)

    def script(self, source: str, name: str | None, run: bool) -> Steps[None]:
        script = self._scripts.define(source, name, "yes" if run else "no")
        if run and script is not None:
            yield from self._engine.run(self._scripts.runner(script))

    def prompt(self, loading: bool) -> None:
        """Prompts and shown errors, when asked for (sec. 5)."""
        if self.showerrors and not loading:
            while self.errors.count:
                self._emit("\t".join(str(field) for field in self.errors.next()))
        if self.prompts:
            self._emit(">>>>" if loading else "TSP?" if self.errors.count else "TSP>")

    def too_long(self) -> None:
        self._report(TspError(-363))

    def triggered(self) -> None:
        self._trigger.command.trigger()

    def _abort(self) -> None:
        """A line "abort": the running script and what it left running end; output and settings stay."""
        for channel in self.channels.values():
            channel.abort()

    # -- what scripts ask for (publish_system.Host) ------------------------------------------------------------------

    def now(self) -> float:
        return self._clock.now

    def set_calendar(self, seconds: float) -> None:
        self._calendar = seconds - self.now()

    def _date(self, style: str = "%c", seconds: float | None = None) -> str:
        moment = self._calendar + self.now() if seconds is None else seconds
        return time.strftime(str(style), time.gmtime(moment))

    def identity(self) -> tuple[str, str, str, str]:
        """Fields of *IDN?."""
        return (
            "Keithley Instruments Inc.",
            self.context.model or "2636B",
            self.context.serial or "4308079",
            self.options.firmware,
        )

    def reset(self) -> Steps[None]:
        """reset(), *RST: channels, format, triggers; not status, errors, lines, variables (sec. 8)."""
        for channel in self.channels.values():
            channel.reset()
        self.format.reset()
        self._engine.bindings.core.set_precision(self.format.asciiprecision)
        self._trigger.reset()
        return
        yield

    def complete(self) -> Steps[None]:
        """Until every setting has taken effect and no channel has an operation running."""
        if self._pace.ahead:
            yield self._pace.ahead
        for channel in self.channels.values():
            yield from channel.completed()

    def notify_complete(self) -> None:
        """opc(), *OPC: the OPC bit once everything is complete."""
        Task(self._clock, self.complete(), lambda: self.status["standard"].latch(OPC)).start()

    def memory(self) -> tuple[float, float]:
        """Free and total memory (kB)."""
        total = self.options.memory
        return max(0.0, total - self._engine.memory_used) / 1024, total / 1024


def _standard_bit(code: int) -> int:
    """Bit of the standard event register that an error sets."""
    if -199 <= code <= -100:
        return CME
    if -299 <= code <= -200:
        return EXE
    return QYE if -499 <= code <= -400 else DDE
