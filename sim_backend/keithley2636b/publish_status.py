"""``status`` and ``errorqueue`` as scripts see them (reference keithley2636b sec. 6, 7)."""

from __future__ import annotations

from typing import Any

from sim_backend.keithley2636b.bindings import Bindings
from sim_backend.keithley2636b.errors import ErrorQueue
from sim_backend.keithley2636b.status import EAV, ESB, MAV, MSB, MSS, OSB, QSB, SSB, Register, StatusModel
from sim_backend.keithley2636b.values import whole

_LONG = {
    "OPC": "OPERATION_COMPLETE", "QYE": "QUERY_ERROR", "DDE": "DEVICE_DEPENDENT_ERROR", "EXE": "EXECUTION_ERROR",
    "CME": "COMMAND_ERROR", "URQ": "USER_REQUEST", "PON": "POWER_ON", "CAL": "CALIBRATING", "SWE": "SWEEPING",
    "MEAS": "MEASURING", "TRGOVR": "TRIGGER_OVERRUN", "REM": "REMOTE_SUMMARY", "USER": "USER",
    "INST": "INSTRUMENT_SUMMARY", "PROG": "PROGRAM_RUNNING", "VLMT": "VOLTAGE_LIMIT", "ILMT": "CURRENT_LIMIT",
    "ROF": "READING_OVERFLOW", "BAV": "BUFFER_AVAILABLE", "INT": "INTERLOCK", "UO": "UNSTABLE_OUTPUT",
    "OTEMP": "OVER_TEMPERATURE", "CAV": "COMMAND_AVAILABLE", "PRMPT": "PROMPTS_ENABLED",
}  # fmt: skip
_BYTE = {
    "MSB": MSB, "MEASUREMENT_SUMMARY_BIT": MSB, "SSB": SSB, "SYSTEM_SUMMARY_BIT": SSB, "EAV": EAV,
    "ERROR_AVAILABLE": EAV, "QSB": QSB, "QUESTIONABLE_SUMMARY_BIT": QSB, "MAV": MAV, "MESSAGE_AVAILABLE": MAV,
    "ESB": ESB, "EVENT_SUMMARY_BIT": ESB, "MSS": MSS, "MASTER_SUMMARY_STATUS": MSS, "OSB": OSB,
    "OPERATION_SUMMARY_BIT": OSB,
}  # fmt: skip


def publish_status(bind: Bindings, model: StatusModel, range_error: int) -> Any:
    """The ``status`` object with all its register sets."""
    status = bind.object("status")
    mask = whole(0, 65535, range_error)
    bind.attribute(status, "condition", model.byte)

    def request(name: str, field: str) -> None:
        bind.attribute(
            status, name, lambda: getattr(model, field), lambda value: setattr(model, field, mask(value) & ~MSS)
        )

    request("request_enable", "service_request")
    request("node_enable", "node_enable")
    bind.attribute(status, "request_event", lambda: _take(model, "request_event"))
    bind.attribute(status, "node_event", lambda: _take(model, "node_event"))
    bind.function(status, "reset", model.reset)
    for name, bit in _BYTE.items():
        bind.member(status, name, bit)
    objects = {"": status}
    for path, register in model.registers.items():
        parent, _, name = path.rpartition(".")
        objects[path] = bind.object(path)
        bind.member(objects[parent], name, objects[path])
        _publish_register(bind, objects[path], register, path == "operation.user", mask)
    return status


def _publish_register(bind: Bindings, target: Any, register: Register, writable: bool, mask: Any) -> None:
    def write_condition(value: Any) -> None:
        wanted = mask(value)
        for bit in register.bits.values():
            register.set(bit, bool(wanted & bit))

    def setter(field: str) -> Any:
        return lambda value: setattr(register, field, mask(value))

    bind.attribute(target, "condition", lambda: register.condition, write_condition if writable else None)
    bind.attribute(target, "event", register.read_event)
    bind.attribute(target, "enable", lambda: register.enable, setter("enable"))
    bind.attribute(target, "ntr", lambda: register.ntr, setter("ntr"))
    bind.attribute(target, "ptr", lambda: register.ptr, setter("ptr"))
    for name, bit in register.bits.items():
        bind.member(target, name, bit)
        if name in _LONG:
            bind.member(target, _LONG[name], bit)


def _take(model: StatusModel, field: str) -> int:
    value: int = getattr(model, field)
    setattr(model, field, 0)
    return value


def publish_errors(bind: Bindings, queue: ErrorQueue) -> Any:
    """The ``errorqueue`` object."""
    target = bind.object("errorqueue")
    bind.attribute(target, "count", lambda: queue.count)
    bind.function(target, "next", queue.next)
    bind.function(target, "clear", queue.clear)
    return target
