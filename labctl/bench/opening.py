"""Open the instruments of a bench file, real or simulated, and close them safely.

Drivers are found by name in the entry-point group ``labctl.drivers``; labctl knows them by what they can do
(``capabilities``), never by import.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labctl.bench.description import BenchDescription, InstrumentEntry
from labctl.bench.errors import BenchFileError, InstrumentUnavailable
from labctl.bench.lock import hold
from labctl.bench.wire import Tap, TappedLibrary, Wire


class HostClock:
    """The clock of a real bench: the host's, monotonic."""

    @property
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, duration: float) -> None:
        time.sleep(duration)


def driver_class(name: str) -> Any:
    """Class of the driver registered under ``name``.

    Raises:
        BenchFileError: no such driver is installed.
    """
    found = _registered("labctl.drivers")
    if name not in found:
        raise BenchFileError(
            f"no driver named {name!r} is installed",
            f"installed drivers: {', '.join(sorted(found)) or 'none'}; "
            "a driver is an entry point in the group labctl.drivers",
        )
    return found[name].load()


def capabilities(name: str, model: str | None, channel: str) -> dict[str, Any]:
    """What a driver's channel can do, without an instrument.

    A driver that is slow to import registers a function for it in the group ``labctl.capabilities``; of the others, the
    class is asked.
    """
    quick = _registered("labctl.capabilities").get(name)
    ask = quick.load() if quick else driver_class(name).capabilities
    return dict(ask(model, channel))


@functools.cache
def _registered(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


@dataclass
class OpenBench:
    """The opened instruments of one bench, by their names in the bench file."""

    description: BenchDescription
    instruments: dict[str, Any]
    clock: Any
    library: Any
    simulated: bool
    wire: Wire
    identities: dict[str, dict[str, str]] = field(default_factory=dict)

    def channel(self, source: str) -> Any:
        """The driver's channel of a source such as 'afg.1'."""
        instrument, _, channel = source.partition(".")
        return self.instruments[instrument].channel(channel)

    @property
    def exceptions(self) -> tuple[type[Exception], ...]:
        """Everything that the drivers of this bench may raise: the wire's errors and the instruments' own."""
        return tuple({error for instrument in self.instruments.values() for error in instrument.exceptions})

    @property
    def line_frequency(self) -> float:
        """Hz, as the bench file's instruments say; 50 where none does."""
        found = [
            entry.options["line_frequency"]
            for entry in self.description.instruments.values()
            if "line_frequency" in entry.options
        ]
        return float(found[0]) if found else 50.0

    def plug(self, source: str) -> None:
        """The operator has plugged in a manual connection: the simulated bench does as much."""
        if self.simulated:
            self.library.bench.plug(source)

    def unplug(self, source: str) -> None:
        """The operator has restored the usual cable."""
        if self.simulated:
            self.library.bench.unplug(source)

    def true_voltages(self) -> dict[str, float]:
        """Node voltages of the simulated circuit now; empty on a real bench, which cannot know them."""
        return dict(self.library.true_voltages()) if self.simulated else {}

    def true_extremes(self) -> dict[str, float]:
        """Largest-magnitude node voltages since the last call (simulated bench only)."""
        return dict(self.library.true_extremes()) if self.simulated else {}

    def watch_extremes(self) -> None:
        """Keep the node voltages of the simulated circuit from now on, for ``watched_extremes``."""
        if self.simulated:
            self.library.watch_extremes()

    def watched_extremes(self, times: Sequence[float]) -> list[dict[str, float]]:
        """Largest-magnitude node voltages of each stretch between consecutive times (simulated bench only)."""
        return list(self.library.watched_extremes(times)) if self.simulated else [{}] * (len(times) - 1)

    def able(self, source: str, ability: str) -> dict[str, Any]:
        """What the driver says of an ability of a source such as 'afg.1'; empty without it."""
        instrument, _, channel = source.partition(".")
        entry = self.description.instruments[instrument]
        found: dict[str, Any] = capabilities(entry.driver, entry.model, channel).get(ability, {})
        return found

    def settings(self) -> dict[str, dict[str, Any]]:
        return {name: instrument.settings() for name, instrument in self.instruments.items()}

    def line(self, line: str, level: int) -> None:
        """Set a digital line such as 'smu.digio.1', read back by its instrument's driver."""
        instrument, _, number = line.split(".")
        self.instruments[instrument].line(int(number), level)

    def safe(self) -> list[str]:
        """Every output off or high impedance, pulse sources first, then every relay at rest; what failed is named.

        Best effort by design: a dead instrument must not keep the next one driving, so every failure of a driver is
        collected, whatever its kind.
        """
        problems = []
        order = sorted(self.instruments.items(), key=lambda item: -getattr(item[1], "safe_priority", 0))
        for name, instrument in order:
            try:
                instrument.safe()
            except Exception as error:  # noqa: BLE001 - the next instrument must be reached
                problems.append(f"{name} ({self.description.instruments[name].address}): {error}")
        for name, relay in self.description.wiring.relays.items():  # moved when nothing drives any more
            try:
                self.line(relay.line, relay.positions[relay.rest])
            except Exception as error:  # noqa: BLE001 - the next relay must be reached
                problems.append(f"relay {name} to {relay.rest} ({relay.line}): {error}")
        return problems


def visa_specification(bench: BenchDescription, file: Path, simulate: bool, seed: int, part: int = 0) -> str:
    """What PyVISA is asked for: the bench's own library, or the simulated bench built from the same file.

    part: of a resumed run on a simulated bench: the same specimen, but other chances.
    """
    if not (simulate or bench.simulated):
        return bench.visa
    return f"{file}?seed={seed}{f'&part={part}' if part else ''}@labctl"


def simulated_apart(
    bench: BenchDescription, file: Path, seed: int, state: str | None, folder: Path
) -> tuple[BenchDescription, str]:
    """The bench as it is simulated for itself, in virtual time, and what PyVISA is asked for.

    Nothing outside the process is touched: no lock, and no file of the simulation; the device's goes to ``folder``.

    Args:
        state: what the device starts from, the text of its file; None: as made.
    """
    query = f"seed={seed}&clock=virtual&heard="
    if bench.simulation.state is not None:
        kept = folder / "device_state.json"
        if state is not None:
            kept.write_text(state, encoding="utf-8")
        query += f"&state={quote(str(kept))}"
    simulation = bench.simulation.model_copy(update={"state": None})
    return bench.model_copy(update={"visa": "@labctl", "simulation": simulation}), f"{file}?{query}@labctl"


@contextlib.contextmanager
def open_bench(
    bench: BenchDescription, specification: str, purpose: str, taps: Iterable[Tap] = (), keep: bool = False
) -> Iterator[OpenBench]:
    """Open all instruments, check who they are, and leave them safe at the end however it comes.

    Args:
        bench: what the bench file says.
        specification: PyVISA's library string, see ``visa_specification``.
        purpose: said to whoever finds the bench locked.
        taps: told of every message, from the first one to the last.
        keep: keep the messages of the opening for a log that starts later (``Wire.log``).

    Raises:
        BenchBusy, InstrumentUnavailable, BenchFileError.
    """
    import pyvisa

    with hold(bench, purpose), contextlib.ExitStack() as stack:
        try:
            manager: Any = pyvisa.ResourceManager(specification)
        except (OSError, ValueError) as error:
            raise InstrumentUnavailable(
                f"VISA library {specification!r} cannot be opened: {error}",
                "install a VISA or choose another with 'visa:' in the bench file; --simulate runs it simulated",
            ) from error
        stack.callback(manager.close)
        library = manager.visalib
        clock = getattr(library, "clock", None) or HostClock()
        wire = Wire(clock, taps, keep)
        opened = OpenBench(bench, {}, clock, library, specification.endswith("@labctl"), wire)
        stack.callback(setattr, manager, "visalib", library)  # the manager closes the library that it opened
        tapped = manager.visalib = TappedLibrary(library, wire)
        for name, entry in bench.instruments.items():
            tapped.opening = name
            opened.instruments[name] = _open(name, entry, opened)
            stack.callback(opened.instruments[name].close)
            opened.identities[name] = _identify(name, entry, opened.instruments[name])
        yield opened


def _open(name: str, entry: InstrumentEntry, opened: OpenBench) -> Any:
    import pyvisa

    cls = driver_class(entry.driver)
    options = dict(entry.options)
    if getattr(cls, "calls_library", False):  # no message passes VISA: the driver itself tells of its calls
        options["on_call"] = functools.partial(opened.wire.tell, name)
    try:
        return cls(entry.address, name=name, clock=opened.clock, visa_library=opened.library, **options)
    except (pyvisa.Error, OSError, ValueError) as error:  # ValueError: pyvisa-py lacks a package for this interface
        raise _silent(name, entry, error) from error


def _identify(name: str, entry: InstrumentEntry, instrument: Any) -> dict[str, str]:
    import pyvisa

    try:
        identity: dict[str, str] = dict(instrument.identity)
    except (pyvisa.Error, OSError) as error:
        raise _silent(name, entry, error) from error
    for key, wanted in (("model", entry.model), ("serial", entry.serial)):
        if wanted is not None and identity.get(key) != wanted:
            raise InstrumentUnavailable(
                f"instrument {name!r} at {entry.address}: "
                f"{key} is {identity.get(key)!r}, the bench file says {wanted!r}",
                "check the cable and the address, or correct the bench file",
            )
    return identity


def _silent(name: str, entry: InstrumentEntry, error: Exception) -> InstrumentUnavailable:
    return InstrumentUnavailable(
        f"instrument {name!r} ({entry.driver}) does not answer at {entry.address}: {' '.join(str(error).split())}",
        "check power, cable and address; --simulate runs the same bench file on the simulated bench",
    )
