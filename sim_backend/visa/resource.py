"""An instrument behind an address: what all its sessions share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyvisa.constants import StatusCode

from sim_backend.clock import Clock
from sim_backend.context import SimulatedInstrument
from sim_backend.heard import Heard
from sim_backend.visa.address import Address

SERVICE_REQUEST = 0x40


class Chunk(NamedTuple):
    """Result of one read: bytes and VISA status."""

    data: bytes
    status: StatusCode


class Resource:
    """One instrument on its bus: unread bytes, locks, service request, and the time it still owes the host.

    A simulated instrument works while its message is handed over, in virtual time. On a real bus ``viWrite`` returns
    at once and the host waits in ``viRead``: what the instrument worked is kept as a debt that the next read has to
    wait for, so that a timeout shorter than the work is a timeout here too.
    """

    def __init__(
        self,
        name: str,
        address: Address,
        instrument: SimulatedInstrument,
        clock: Clock,
        lost: Callable[[], bool],
        heard: Heard | None = None,
        latency: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name = name
        self.address = address
        self.instrument = instrument
        self.lost = lost
        self._heard = heard
        self.locks = Locks()
        self._clock = clock
        self._latency = latency
        self._held = b""  # taken from the instrument, not yet asked for
        self._held_end = False
        self._debt = 0.0
        self._debt_at = 0.0
        self._requested = False

    def write(self, data: bytes, end: bool) -> None:
        """Hand bytes over, after their time on the way; the instrument acts."""
        late = self._latency()
        if late:
            self._clock.sleep(late)
        if self._heard is not None:
            self._heard.message(self.name, data)
        began = self._clock.now
        debt = self._remaining_debt()
        self.instrument.write(data, end)
        self._debt, self._debt_at = debt + self._clock.now - began, self._clock.now

    def read(self, count: int, timeout: float, termchar: int | None, ends: bool, until_quiet: bool) -> Chunk:
        """Up to ``count`` bytes, waiting at most ``timeout`` (s).

        Ends at ``termchar``, at END if ``ends``, or with ``until_quiet`` when nothing more is there. Bytes read before
        a timeout are lost, as PyVISA loses them with any VISA.
        """
        debt = self._remaining_debt()
        if debt > timeout:
            self._debt, self._debt_at = debt - timeout, self._clock.now
            return Chunk(b"", StatusCode.error_timeout)
        self._debt = 0.0
        deadline = self._clock.now + timeout
        parts: list[bytes] = []
        while count > 0:
            if not self._held and not self._fetch(count, deadline, until_quiet and bool(parts)):
                data = b"".join(parts)
                return Chunk(data, StatusCode.success if until_quiet and data else StatusCode.error_timeout)
            stop = self._held.find(termchar) + 1 if termchar is not None else 0
            found = 0 < stop <= count
            size = stop if found else min(count, len(self._held))
            parts.append(self._held[:size])
            self._held = self._held[size:]
            count -= size
            if found:
                return Chunk(b"".join(parts), StatusCode.success_termination_character_read)
            if ends and self._held_end and not self._held:
                return Chunk(b"".join(parts), StatusCode.success)
        return Chunk(b"".join(parts), StatusCode.success_max_count_read)

    def clear(self) -> None:
        """Device clear: the instrument's queues and what was on the way."""
        self.discard_input()
        self._debt = 0.0
        self.instrument.clear()

    def discard_input(self) -> None:
        self._held = b""

    def serial_poll(self) -> int:
        """Status byte; an instrument that clears bits when it is polled does so."""
        poll: Callable[[], int] = getattr(self.instrument, "serial_poll", self.instrument.status_byte)
        return poll()

    def requests_service(self) -> bool:
        return bool(self.instrument.status_byte() & SERVICE_REQUEST)

    def new_request(self) -> bool:
        """Whether a service request has come up since the last call."""
        before, self._requested = self._requested, self.requests_service()
        return self._requested and not before

    def _fetch(self, count: int, deadline: float, only_now: bool) -> bool:
        """Take the next bytes from the instrument, waiting for them until ``deadline`` (s)."""
        if not self.instrument.pending():
            left = 0.0 if only_now else max(0.0, deadline - self._clock.now)
            if not self._clock.wait_for(self.instrument.pending, left):
                return False
        self._held, self._held_end = self.instrument.read(count)
        return bool(self._held)

    def _remaining_debt(self) -> float:
        return max(0.0, self._debt - (self._clock.now - self._debt_at))


class Locks:
    """Who has locked a resource (VPP-4.3, viLock): one exclusive session, or sessions that share a key. Both nest."""

    def __init__(self) -> None:
        self._exclusive: int | None = None
        self._exclusive_depth = 0
        self._shared: dict[int, int] = {}
        self._key: str | None = None
        self._made = 0

    def allows(self, session: int) -> bool:
        """Whether a session may talk to the instrument."""
        if self._exclusive is not None:
            return session == self._exclusive
        return not self._shared or session in self._shared

    def lock_exclusive(self, session: int) -> bool:
        """False: someone else is in the way."""
        if self._exclusive not in (None, session) or any(other != session for other in self._shared):
            return False
        self._exclusive = session
        self._exclusive_depth += 1
        return True

    def lock_shared(self, session: int, key: str | None) -> str | None:
        """The key, or None: someone else is in the way or the key is another one."""
        if self._exclusive not in (None, session):
            return None
        if self._key is not None and key != self._key and not (key is None and session in self._shared):
            return None
        if self._key is None:
            self._made += 1
            self._key = key or f"labctl-{self._made}"
        self._shared[session] = self._shared.get(session, 0) + 1
        return self._key

    def unlock(self, session: int) -> bool:
        """Take one lock back, the exclusive ones first; False: the session holds none."""
        if self._exclusive == session:
            self._exclusive_depth -= 1
            if not self._exclusive_depth:
                self._exclusive = None
            return True
        if session not in self._shared:
            return False
        self._shared[session] -= 1
        if not self._shared[session]:
            del self._shared[session]
        if not self._shared:
            self._key = None
        return True

    def release(self, session: int) -> None:
        """The session closes."""
        while self.unlock(session):
            pass

    def held_by(self, session: int) -> tuple[bool, bool]:
        """Whether a session holds the exclusive lock, a shared lock."""
        return self._exclusive == session, session in self._shared
