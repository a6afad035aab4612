"""The VISA library that PyVISA gets for ``@labctl``: the operations of VPP-4.3 on the simulated bench."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, TypeVar

from pyvisa import constants, errors, highlevel, rname
from pyvisa.constants import EventMechanism, EventType, StatusCode
from pyvisa.typing import VISAEventContext, VISAHandler, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from labctl.bench.errors import BenchProblem
from sim_backend.bench import SimulatedBench
from sim_backend.circuit import Circuit
from sim_backend.clock import Clock
from sim_backend.visa import address, specification
from sim_backend.visa.resource import Resource
from sim_backend.visa.session import Session

_T = TypeVar("_T")

_SERVICE_REQUESTS = (EventType.service_request, EventType.all_enabled)


class LabctlVisaLibrary(highlevel.VisaLibraryBase):
    """One resource manager, one simulated bench.

    ``ResourceManager("path/to/bench.yaml@labctl")`` builds the bench; closing the manager ends it. Beside VISA it hands
    out ``clock``, ``bench``, ``circuit``, ``true_voltages()`` and ``true_extremes()``.
    """

    @staticmethod
    def get_library_paths() -> Iterable[LibraryPath]:
        """Without a bench file there is no bench: the shipped one of the main job."""
        return (LibraryPath("hnno"),)

    @staticmethod
    def get_debug_info() -> dict[str, Any]:
        return {"labctl": "simulated bench"}

    def _init(self) -> None:
        self._lock = threading.RLock()
        self._handles = count(1)
        self._bench: SimulatedBench | None = None
        self._resources: dict[str, Resource] = {}
        self._sessions: dict[int, Session] = {}
        self._events: dict[int, EventType] = {}
        self._manager = 0

    # -- the simulated world ---------------------------------------------------------------------------------

    @property
    def bench(self) -> SimulatedBench:
        """The simulated bench. Raises ``InvalidSession`` once the resource manager is closed."""
        if self._bench is None:
            raise errors.InvalidSession
        return self._bench

    @property
    def clock(self) -> Clock:
        return self.bench.clock

    @property
    def circuit(self) -> Circuit:
        return self.bench.circuit

    def true_voltages(self) -> dict[str, float]:
        """Device terminal -> voltage (V) against common now."""
        return {name: self.circuit.true_voltage(name) for name in self.circuit.terminals}

    def true_extremes(self) -> dict[str, float]:
        """Device terminal -> voltage (V) of the largest magnitude since the last call."""
        return self.circuit.take_extremes()

    def watch_extremes(self) -> None:
        """Keep the terminals' voltages from now on, for ``watched_extremes``."""
        self.circuit.watch()

    def watched_extremes(self, times: Sequence[float]) -> list[dict[str, float]]:
        """For each stretch between consecutive times: terminal -> voltage (V) of the largest magnitude in it."""
        return self.circuit.watched(times)

    def wgfmu_functions(self, address: str) -> dict[str, int]:
        """C addresses of the functions of the process's WGFMU library. Raises ``LibraryError``: none is installed."""
        units = self.bench.fast_units
        if units is None:
            raise errors.LibraryError(f"no fast unit is on this bench, so no WGFMU library for {address}")
        return units.library.functions

    # -- sessions --------------------------------------------------------------------------------------------

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        try:
            bench = SimulatedBench(specification.load(str(self.library_path)))
        except BenchProblem as problem:
            hint = f"; {problem.hint}" if problem.hint else ""
            raise errors.LibraryError(problem.message + hint) from problem
        except ValueError as problem:
            raise errors.LibraryError(f"bench {self.library_path}: {problem}") from problem
        self._bench = bench
        self._resources = {}
        for name, instrument in bench.instruments.items():
            parsed = address.parse(bench.description.instruments[name].address)
            lost = _is_lost(bench, name)
            late = bench.latency(name)
            self._resources[parsed.key] = Resource(name, parsed, instrument, bench.clock, lost, bench.heard, late)
        self._manager = next(self._handles)
        return VISARMSession(self._manager), self.handle_return_value(None, StatusCode.success)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        addresses = {entry.address: None for entry in self.bench.description.instruments.values()}
        return rname.filter(list(addresses), query)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        with self._lock:
            self.clock.sync()
            try:
                resource = self._resources.get(address.parse(resource_name).key)
            except rname.InvalidResourceName:
                return VISASession(0), self.handle_return_value(session, StatusCode.error_invalid_resource_name)
            if resource is None or resource.lost():
                return VISASession(0), self.handle_return_value(session, StatusCode.error_resource_not_found)
            handle = next(self._handles)
            opened = Session(handle, self._manager, resource)
            self._sessions[handle] = opened
            if access_mode == constants.AccessModes.exclusive_lock:
                _, status = self._lock_session(opened, constants.Lock.exclusive, open_timeout, None)
                if status < 0:
                    del self._sessions[handle]
                    return VISASession(0), self.handle_return_value(session, status)
            return VISASession(handle), self.handle_return_value(VISASession(handle), StatusCode.success)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        with self._lock:
            if session == self._manager and self._bench is not None:
                for handle in tuple(self._sessions):
                    self._close_session(handle)
                self._bench.close()
                self._bench = None
            elif session in self._sessions:
                self._close_session(session)
            elif self._events.pop(session, None) is None:
                return self.handle_return_value(session, StatusCode.error_invalid_object)
            return self.handle_return_value(session, StatusCode.success)

    def _close_session(self, handle: int) -> None:
        self._sessions.pop(handle).resource.locks.release(handle)

    # -- messages --------------------------------------------------------------------------------------------

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        with self._lock:
            data, status = self._on(session, lambda opened: opened.read(count), b"")
        return data, self.handle_return_value(session, status)

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        with self._lock:
            _, status = self._on(session, lambda opened: (None, opened.write(bytes(data))), None)
        return len(data), self.handle_return_value(session, status)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        with self._lock:
            value, status = self._on(session, Session.read_stb, 0)
        return value, self.handle_return_value(session, status)

    def clear(self, session: VISASession) -> StatusCode:
        with self._lock:
            _, status = self._on(session, lambda opened: (None, opened.clear()), None)
        return self.handle_return_value(session, status)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        with self._lock:
            _, status = self._on(session, lambda opened: (None, opened.trigger()), None)
        return self.handle_return_value(session, status)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        discards = constants.BufferOperation.discard_read_buffer | constants.BufferOperation.discard_receive_buffer
        with self._lock:
            opened = self._sessions.get(session)
            if opened is None:
                return self.handle_return_value(session, StatusCode.error_invalid_object)
            if mask & discards:
                opened.resource.discard_input()
        return self.handle_return_value(session, StatusCode.success)

    def gpib_control_ren(self, session: VISASession, mode: constants.RENLineOperation) -> StatusCode:
        """Remote enable: the simulated instruments obey in any case."""
        return self.handle_return_value(session, self._known(session))

    def gpib_send_ifc(self, session: VISASession) -> StatusCode:
        return self.handle_return_value(session, self._known(session))

    def _known(self, session: VISASession) -> StatusCode:
        return StatusCode.success if session in self._sessions else StatusCode.error_invalid_object

    def _on(
        self, session: VISASession, operation: Callable[[Session], tuple[_T, StatusCode]], nothing: _T
    ) -> tuple[_T, StatusCode]:
        """Run an operation on an open session that may talk, at the present time; then tell of service requests."""
        opened = self._sessions.get(session)
        if opened is None:
            return nothing, StatusCode.error_invalid_object
        self.clock.sync()
        refused = opened.refused()
        if refused is not None:
            return nothing, refused
        result = operation(opened)
        self._tell_requests(opened.resource)
        return result

    # -- attributes ------------------------------------------------------------------------------------------

    def get_attribute(
        self, session: VISASession | VISAEventContext | VISARMSession, attribute: Any
    ) -> tuple[Any, StatusCode]:
        opened = self._sessions.get(session)
        if opened is not None:
            value, status = opened.get_attribute(int(attribute))
        elif session in self._events and attribute == constants.EventAttribute.event_type:
            value, status = self._events[session], StatusCode.success
        else:
            value, status = None, StatusCode.error_invalid_object
        return value, self.handle_return_value(session, status)

    def set_attribute(self, session: VISASession, attribute: Any, attribute_state: Any) -> StatusCode:
        opened = self._sessions.get(session)
        status = opened.set_attribute(int(attribute), attribute_state) if opened else StatusCode.error_invalid_object
        return self.handle_return_value(session, status)

    # -- locks -----------------------------------------------------------------------------------------------

    def lock(
        self, session: VISASession, lock_type: constants.Lock, timeout: int, requested_key: str | None = None
    ) -> tuple[str, StatusCode]:
        with self._lock:
            opened = self._sessions.get(session)
            if opened is None:
                return "", self.handle_return_value(session, StatusCode.error_invalid_object)
            key, status = self._lock_session(opened, lock_type, timeout, requested_key)
        return key, self.handle_return_value(session, status)

    def unlock(self, session: VISASession) -> StatusCode:
        with self._lock:
            opened = self._sessions.get(session)
            if opened is None:
                return self.handle_return_value(session, StatusCode.error_invalid_object)
            held = opened.resource.locks.unlock(opened.handle)
        return self.handle_return_value(session, StatusCode.success if held else StatusCode.error_session_not_locked)

    def _lock_session(
        self, opened: Session, lock_type: constants.Lock, timeout: int, key: str | None
    ) -> tuple[str, StatusCode]:
        """Nobody can unlock while this thread waits, so the wait is only the time that passes."""
        locks = opened.resource.locks
        got = key or ""
        if lock_type == constants.Lock.exclusive:
            granted = locks.lock_exclusive(opened.handle)
        else:
            shared = locks.lock_shared(opened.handle, key)
            granted, got = shared is not None, shared or got
        if granted:
            return got, StatusCode.success
        if timeout not in (constants.VI_TMO_IMMEDIATE, constants.VI_TMO_INFINITE):
            self.clock.sleep(timeout / 1000.0)
            return got, StatusCode.error_timeout
        return got, StatusCode.error_resource_locked

    # -- events ----------------------------------------------------------------------------------------------

    def enable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism, context: None = None
    ) -> StatusCode:
        opened = self._sessions.get(session)
        if opened is None:
            return self.handle_return_value(session, StatusCode.error_invalid_object)
        if event_type not in _SERVICE_REQUESTS or opened.resource.address.is_socket:
            return self.handle_return_value(session, StatusCode.error_invalid_event)
        opened.mechanisms |= mechanism
        self._tell_requests(opened.resource)
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        opened = self._sessions.get(session)
        if opened is None:
            return self.handle_return_value(session, StatusCode.error_invalid_object)
        opened.mechanisms &= ~mechanism
        return self.handle_return_value(session, StatusCode.success)

    def discard_events(self, session: VISASession, event_type: EventType, mechanism: EventMechanism) -> StatusCode:
        opened = self._sessions.get(session)
        if opened is None:
            return self.handle_return_value(session, StatusCode.error_invalid_object)
        opened.queued = 0
        return self.handle_return_value(session, StatusCode.success)

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        with self._lock:
            nothing = (in_event_type, VISAEventContext(0))
            opened = self._sessions.get(session)
            if opened is None:
                return *nothing, self.handle_return_value(session, StatusCode.error_invalid_object)
            if not opened.queues_requests():
                return *nothing, self.handle_return_value(session, StatusCode.error_not_enabled)
            self.clock.sync()
            seconds = float("inf") if timeout == constants.VI_TMO_INFINITE else timeout / 1000.0

            def come() -> bool:
                self._tell_requests(opened.resource)
                return opened.queued > 0

            if not self.clock.wait_for(come, seconds):
                return *nothing, self.handle_return_value(session, StatusCode.error_timeout)
            opened.queued -= 1
            event = self._new_event()
            return EventType.service_request, event, self.handle_return_value(session, StatusCode.success)

    def install_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any
    ) -> tuple[VISAHandler, Any, Any, StatusCode]:
        return handler, user_handle, handler, self.handle_return_value(session, self._known(session))

    def uninstall_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: Any = None
    ) -> StatusCode:
        return self.handle_return_value(session, self._known(session))

    def _new_event(self) -> VISAEventContext:
        handle = next(self._handles)
        self._events[handle] = EventType.service_request
        return VISAEventContext(handle)

    def _tell_requests(self, resource: Resource) -> None:
        """Queue a new service request, and call handlers, of the sessions that asked for it."""
        listening = [s for s in self._sessions.values() if s.resource is resource and s.mechanisms]
        if not listening or not resource.new_request():
            return
        for opened in listening:
            opened.queued += opened.queues_requests()
            if not opened.handles_requests():
                continue
            session = VISASession(opened.handle)
            for handler, user_handle, _, event_type in tuple(self.handlers[session]):
                if event_type in _SERVICE_REQUESTS:
                    context = self._new_event()
                    handler(session, EventType.service_request, context, user_handle)
                    self._events.pop(context, None)


def _is_lost(bench: SimulatedBench, name: str) -> Callable[[], bool]:
    return lambda: bench.lost(name)
