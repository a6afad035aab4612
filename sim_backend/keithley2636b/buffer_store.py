"""The buffers of both channels by number, and the functions that print them (reference keithley2636b sec. 3, 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sim_backend.keithley2636b import formats
from sim_backend.keithley2636b.bindings import Bindings
from sim_backend.keithley2636b.buffers import BYTES_PER_READING, ReadingBuffer
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.values import choice, number, numbers, whole, within
from sim_backend.tasks import Steps

_PLAIN_TABLE = -1  # number of what is no buffer but a Lua table
_SWITCHES = frozenset({"appendmode", "cachemode", "collecttimestamps", "collectsourcevalues", "fillmode"})
_WHILE_EMPTY = frozenset({"appendmode", "collecttimestamps", "collectsourcevalues"})


class Format:
    """``format.*``: how printnumber and printbuffer answer."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.data = formats.ASCII
        self.byteorder = formats.SWAPPED
        self.asciiprecision = 6

    def message(self, values: Sequence[float | str]) -> bytes:
        """One reply without its LF; text among the values makes it ASCII."""
        if self.data == formats.ASCII or any(isinstance(v, str) for v in values):
            return formats.ascii_list(values, self.asciiprecision).encode("latin-1")
        return formats.block([float(v) for v in values], self.data, self.byteorder)


class BufferStore:
    """Numbers for buffers, because only numbers pass between Lua and the host."""

    def __init__(
        self, bind: Bindings, style: Format, reply: Callable[[bytes], None], epoch: float, memory: int, range_error: int
    ) -> None:
        self._style = style
        self._reply = reply
        self._epoch = epoch
        self._memory = memory
        self._buffers: dict[int, ReadingBuffer] = {}
        self._issued = 0
        self._checks: dict[str, Callable[[Any], Any]] = {
            **{name: choice(range_error, 0, 1) for name in _SWITCHES},
            "fillcount": whole(0, 10_000_000, range_error),
            "timestampresolution": within(0.0, 1e6, range_error),
        }
        self._lua = bind.run_file(
            "buffers.lua",
            bind.objects,
            bind.core,
            bind.table(
                {
                    "get": bind.guarded(self._get),
                    "set": bind.guarded(self._set),
                    "element": bind.guarded(self._element),
                    "clear": bind.guarded(self._clear),
                    "make": bind.immediate(self._make),
                    "statistics": bind.guarded(self._statistics),
                    "print_buffer": bind.blocking(self._print_buffer),
                }
            ),
        )

    # -- building ----------------------------------------------------------------------------------------------------

    def publish(self, buffer: ReadingBuffer) -> Any:
        """The Lua object of a buffer."""
        return self._lua.new(self._register(buffer))

    def publish_maker(self, smu: Any) -> None:
        self._lua.maker(smu)

    def publish_statistics(self, group: Any) -> None:
        self._lua.statistics(group)

    def taking_buffers(self, group: Any, name: str, start: int) -> None:
        """A function whose arguments are buffers."""
        self._lua.taking_buffers(group, name, start)

    def _register(self, buffer: ReadingBuffer) -> int:
        self._issued += 1
        self._buffers[self._issued] = buffer
        return self._issued

    def resolve(self, handles: Sequence[int]) -> tuple[ReadingBuffer, ...]:
        """Buffers of the arguments of a function; error 1401 for what is none."""
        found: list[ReadingBuffer] = []
        for position, handle in enumerate(handles, 1):
            buffer = self._buffers.get(handle)
            if buffer is None:
                raise TspError(1401, position)
            found.append(buffer)
        return tuple(found)

    # -- what buffers.lua calls ----------------------------------------------------------------------------------------

    def _make(self, size: Any = None) -> int:
        """makebuffer(n): a dynamic buffer; those that no script can reach any more are let go."""
        if size is None:
            raise TspError(1400, 1)
        capacity = int(number(size))
        if capacity < 1:
            raise TspError(1102)
        living = self._lua.living()
        reachable = set(living) if isinstance(living, tuple) else {living}
        self._buffers = {n: b for n, b in self._buffers.items() if n in reachable}
        used = sum(b.capacity for b in self._buffers.values() if not b.nonvolatile)
        if (used + capacity) * BYTES_PER_READING > self._memory:
            raise TspError(-225)
        return self._register(ReadingBuffer(capacity, False, self._epoch))

    def _get(self, handle: int, name: str) -> float:
        return float(getattr(self._buffers[handle], name))

    def _set(self, handle: int, name: str, value: Any) -> None:
        buffer, checked = self._buffers[handle], self._checks[name](value)
        if name == "timestampresolution":
            buffer.set_resolution(checked)
        elif name in _WHILE_EMPTY:
            buffer.set_while_empty(name, checked)
        else:
            setattr(buffer, name, checked)

    def _element(self, handle: int, name: str, index: Any = None) -> float | str | None:
        return self._buffers[handle].element(name, index)

    def _clear(self, handle: int) -> None:
        self._buffers[handle].clear()

    def _statistics(self, handle: int) -> tuple[float, ...] | None:
        buffer = self._buffers.get(handle)
        return None if buffer is None else tuple(buffer.statistics().values())

    # -- printing ----------------------------------------------------------------------------------------------------

    def print_numbers(self, *values: Any) -> None:
        """printnumber(v1, ...)."""
        if not values:
            raise TspError(1400, 1)
        self._reply(self._style.message([number(v) for v in values]))

    def _print_buffer(self, first: Any = None, last: Any = None, *what: Any) -> Steps[None]:
        """printbuffer(i1, i2, b1, ...): waits for overlapped data, clamps the indices, interleaves."""
        if not what:
            raise TspError(1400, 3)
        begin, end = max(1, int(number(first))), int(number(last))
        sources = [self._source(k, what[2 * k], what[2 * k + 1]) for k in range(len(what) // 2)]
        for source in sources:
            if isinstance(source, list):
                end = min(end, len(source))
                continue
            while source[0].n < end and source[0].filling:
                yield source[0].grown
            end = min(end, source[0].n)
        if begin > end:
            raise TspError(4900, begin)
        columns = [s[begin - 1 : end] if isinstance(s, list) else s[0].column(s[1], begin, end) for s in sources]
        values = [v for row in zip(*columns, strict=True) for v in row] if len(columns) > 1 else columns[0]
        self._reply(self._style.message(values))

    def _source(self, position: int, handle: int, what: Any) -> list[float] | tuple[ReadingBuffer, str]:
        if handle == _PLAIN_TABLE:
            if what is None or isinstance(what, bool | int | float | str):
                raise TspError(1401, position + 3)
            return numbers(what)
        buffer = self._buffers.get(handle)
        if buffer is None:
            raise TspError(4903)
        return buffer, what
