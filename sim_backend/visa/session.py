"""One VISA session: attributes of its own and the rules of its bus, on a resource shared with other sessions."""

from __future__ import annotations

from math import inf
from typing import Any

from pyvisa import attributes, constants
from pyvisa.constants import EventMechanism, ResourceAttribute, StatusCode

from sim_backend.visa.resource import Chunk, Resource

_GPIB = constants.InterfaceType.gpib
_STRINGS_4882 = constants.IOProtocol.protocol4882_strs


class Session:
    """State of one opened session; the operations return VISA status codes, never raise for them."""

    def __init__(self, handle: int, manager: int, resource: Resource) -> None:
        self.handle = handle
        self.resource = resource
        self.mechanisms = 0  # enabled for service requests, bits of EventMechanism
        self.queued = 0  # service requests that wait in the queue
        self.timeout = 2.0  # s
        self._termchar: int | None = None
        self._ends = True
        self._until_quiet = False
        self._attributes = _initial_attributes(resource, manager)
        self._apply()

    # -- attributes ------------------------------------------------------------------------------------------

    def get_attribute(self, attribute: int) -> tuple[Any, StatusCode]:
        if attribute == ResourceAttribute.resource_lock_state:
            exclusive, shared = self.resource.locks.held_by(self.handle)
            modes = constants.AccessModes
            state = modes.exclusive_lock if exclusive else modes.shared_lock if shared else modes.no_lock
            return state, StatusCode.success
        if attribute not in self._attributes:
            return None, StatusCode.error_nonsupported_attribute
        return self._attributes[attribute], StatusCode.success

    def set_attribute(self, attribute: int, value: Any) -> StatusCode:
        if attribute not in self._attributes:
            return StatusCode.error_nonsupported_attribute
        if not attributes.AttributesByID[attribute].write:
            return StatusCode.error_attribute_read_only
        if attribute == ResourceAttribute.termchar and not 0 <= int(value) <= 255:
            return StatusCode.error_nonsupported_attribute_state
        self._attributes[attribute] = value
        self._apply()
        return StatusCode.success

    def _apply(self) -> None:
        """Keep at hand what every read needs."""
        get = self._attributes
        milliseconds = get[ResourceAttribute.timeout_value]
        self.timeout = inf if milliseconds == constants.VI_TMO_INFINITE else milliseconds / 1000.0
        socket = self.resource.address.is_socket
        suppress = bool(get[ResourceAttribute.suppress_end_enabled])
        self._termchar = int(get[ResourceAttribute.termchar]) if get[ResourceAttribute.termchar_enabled] else None
        self._ends = not socket and not suppress
        self._until_quiet = socket and not suppress

    # -- operations ------------------------------------------------------------------------------------------

    def refused(self) -> StatusCode | None:
        """Why nothing can be done on this session now, if so."""
        if not self.resource.locks.allows(self.handle):
            return StatusCode.error_resource_locked
        if self.resource.lost() and self.resource.address.interface != _GPIB:
            return StatusCode.error_connection_lost
        return None

    def read(self, count: int) -> Chunk:
        if self.resource.lost():  # GPIB: nobody talks
            return Chunk(b"", StatusCode.error_timeout)
        return self.resource.read(count, self.timeout, self._termchar, self._ends, self._until_quiet)

    def write(self, data: bytes) -> StatusCode:
        if self.resource.lost():
            return StatusCode.error_no_listeners
        end = not self.resource.address.is_socket and bool(self._attributes[ResourceAttribute.send_end_enabled])
        self.resource.write(data, end)
        return StatusCode.success

    def clear(self) -> StatusCode:
        if self.resource.address.is_socket:
            return self._say(b"*CLS\n")
        if self.resource.lost():
            return StatusCode.error_no_listeners
        self.resource.clear()
        return StatusCode.success

    def trigger(self) -> StatusCode:
        if self.resource.address.is_socket:
            return self._say(b"*TRG\n")
        if self.resource.lost():
            return StatusCode.error_no_listeners
        self.resource.instrument.trigger()
        return StatusCode.success

    def read_stb(self) -> tuple[int, StatusCode]:
        if self.resource.address.is_socket:
            status = self._say(b"*STB?\n")
            if status < 0:
                return 0, status
            chunk = self.resource.read(64, self.timeout, 10, False, False)
            text = chunk.data.strip()
            return (int(text), StatusCode.success) if text.isdigit() else (0, StatusCode.error_io)
        if self.resource.lost():
            return 0, StatusCode.error_timeout
        return self.resource.serial_poll(), StatusCode.success

    def _say(self, message: bytes) -> StatusCode:
        """What a raw socket can do instead of a bus command, if the program asked for IEEE 488.2 strings."""
        if self._attributes[ResourceAttribute.io_prot] != _STRINGS_4882:
            return StatusCode.error_nonsupported_operation
        return self.write(message)

    # -- service requests ------------------------------------------------------------------------------------

    def queues_requests(self) -> bool:
        return bool(self.mechanisms & EventMechanism.queue)

    def handles_requests(self) -> bool:
        return bool(self.mechanisms & EventMechanism.handler)


def _initial_attributes(resource: Resource, manager: int) -> dict[int, Any]:
    """VISA's defaults for this kind of resource, and what the address tells."""
    address = resource.address
    parts = address.parts
    known = {
        "VI_ATTR_RSRC_NAME": address.name,
        "VI_ATTR_RSRC_CLASS": address.resource_class,
        "VI_ATTR_RSRC_MANF_NAME": "labctl simulated bench",
        "VI_ATTR_RSRC_MANF_ID": 0,
        "VI_ATTR_RSRC_IMPL_VERSION": 0x00100000,
        "VI_ATTR_INTF_TYPE": address.interface,
        "VI_ATTR_INTF_NUM": address.board,
        "VI_ATTR_INTF_INST_NAME": f"{address.interface.name.upper()}{address.board} (simulated)",
        "VI_ATTR_RM_SESSION": manager,
        "VI_ATTR_RD_BUF_SIZE": 4096,
        "VI_ATTR_WR_BUF_SIZE": 4096,
        "VI_ATTR_DMA_ALLOW_EN": True,
        "VI_ATTR_GPIB_PRIMARY_ADDR": getattr(parts, "primary_address", None),
        "VI_ATTR_GPIB_SECONDARY_ADDR": getattr(parts, "secondary_address", None) or constants.VI_NO_SEC_ADDR,
        "VI_ATTR_GPIB_REN_STATE": constants.LineState.asserted,
        "VI_ATTR_MANF_ID": getattr(parts, "manufacturer_id", None),
        "VI_ATTR_MODEL_CODE": getattr(parts, "model_code", None),
        "VI_ATTR_USB_SERIAL_NUM": getattr(parts, "serial_number", None),
        "VI_ATTR_USB_INTFC_NUM": getattr(parts, "usb_interface_number", None),
        "VI_ATTR_MANF_NAME": "",
        "VI_ATTR_MODEL_NAME": resource.name,
        "VI_ATTR_USB_PROTOCOL": 1,
        "VI_ATTR_USB_MAX_INTR_SIZE": 2,
        "VI_ATTR_4882_COMPLIANT": True,
        "VI_ATTR_TCPIP_ADDR": getattr(parts, "host_address", None),
        "VI_ATTR_TCPIP_HOSTNAME": getattr(parts, "host_address", None),
        "VI_ATTR_TCPIP_PORT": getattr(parts, "port", None),
        "VI_ATTR_TCPIP_DEVICE_NAME": getattr(parts, "lan_device_name", None),
        "VI_ATTR_TCPIP_IS_HISLIP": False,
        "VI_ATTR_TCPIP_HISLIP_OVERLAP_EN": False,
        "VI_ATTR_TCPIP_HISLIP_VERSION": 0,
    }
    numbers = (
        "GPIB_PRIMARY_ADDR",
        "GPIB_SECONDARY_ADDR",
        "MANF_ID",
        "MODEL_CODE",
        "USB_INTFC_NUM",
        "TCPIP_PORT",
    )
    for name in numbers:
        value = known[f"VI_ATTR_{name}"]
        known[f"VI_ATTR_{name}"] = int(value, 0) if isinstance(value, str) else value
    # no raw socket marks the end of a message: VISA suppresses END there by default
    values: dict[int, Any] = {ResourceAttribute.suppress_end_enabled: address.is_socket}
    per_resource = attributes.AttributesPerResource
    here = (address.interface, address.resource_class)
    for kind in (*per_resource[here], *per_resource[attributes.AllSessionTypes]):
        if kind.visa_name in known:
            values[kind.attribute_id] = known[kind.visa_name]
        else:
            values.setdefault(kind.attribute_id, kind.default)
    return values
