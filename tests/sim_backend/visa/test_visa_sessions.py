"""Resource names, sessions, locks, attributes, service requests, lost links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pyvisa
from pyvisa.constants import (
    AccessModes,
    EventMechanism,
    EventType,
    InterfaceType,
    Lock,
    ResourceAttribute,
    StatusCode,
)

GPIB = "GPIB0::5::INSTR"
USB = "USB0::0x0699::0x0358::C013019::INSTR"
SOCKET = "TCPIP0::192.168.1.26::5025::SOCKET"


def code(error: Any) -> Any:
    return error.value.error_code


# -- names -------------------------------------------------------------------------------------------------------------


def test_resources_are_listed_by_query(rm: pyvisa.ResourceManager) -> None:
    assert rm.list_resources() == (GPIB, USB, "TCPIP0::192.168.1.27::inst0::INSTR")
    assert rm.list_resources("?*") == (*rm.list_resources(), SOCKET)
    assert rm.list_resources("USB?*") == (USB,)
    assert rm.list_resources("ASRL?*") == ()


@pytest.mark.parametrize(
    "name",
    ["GPIB::5", "gpib0::5::INSTR", USB, "USB::1689::856::C013019::0::INSTR", "usb0::0X0699::0x358::c013019::INSTR"],
)
def test_any_spelling_opens_the_resource(rm: pyvisa.ResourceManager, name: str) -> None:
    instrument: Any = rm.open_resource(name)
    assert instrument.query("x") == "x\n"


@pytest.mark.parametrize("name", ["GPIB0::6::INSTR", "TCPIP0::192.168.1.26::5026::SOCKET", "ASRL1::INSTR"])
def test_what_is_not_there_is_not_found(rm: pyvisa.ResourceManager, name: str) -> None:
    with pytest.raises(pyvisa.VisaIOError) as error:
        rm.open_resource(name)
    assert code(error) == StatusCode.error_resource_not_found


@pytest.mark.parametrize("name", ["", "GPIB", "nonsense::1::INSTR"])
def test_what_is_no_resource_name_is_refused(rm: pyvisa.ResourceManager, name: str) -> None:
    with pytest.raises(pyvisa.VisaIOError) as error:
        rm.open_resource(name)
    assert code(error) == StatusCode.error_invalid_resource_name


def test_resource_info(rm: pyvisa.ResourceManager) -> None:
    info = rm.resource_info(USB)
    assert info.interface_type == InterfaceType.usb
    assert info.resource_class == "INSTR"


# -- sessions and locks ------------------------------------------------------------------------------------------------


def test_sessions_on_one_resource_share_the_instrument(rm: pyvisa.ResourceManager) -> None:
    one: Any = rm.open_resource(GPIB)
    two: Any = rm.open_resource(GPIB)
    one.timeout, two.timeout = 100, 200
    one.write("from one")
    assert two.read() == "from one\n"
    assert one.timeout == 100
    one.close()
    assert two.query("x") == "x\n"
    with pytest.raises(pyvisa.InvalidSession):
        one.query("x")


def test_an_exclusive_lock_keeps_others_out(rm: pyvisa.ResourceManager) -> None:
    one: Any = rm.open_resource(GPIB)
    two: Any = rm.open_resource(GPIB)
    with one.lock_context():
        assert one.query("x") == "x\n"
        assert one.lock_state == AccessModes.exclusive_lock
        for operation in (lambda: two.write("x"), two.read, two.clear, two.read_stb, two.assert_trigger):
            with pytest.raises(pyvisa.VisaIOError) as error:
                operation()
            assert code(error) == StatusCode.error_resource_locked
        with pytest.raises(pyvisa.VisaIOError) as error:
            two.lock_excl(timeout=0)
        assert code(error) == StatusCode.error_resource_locked
        with pytest.raises(pyvisa.VisaIOError) as error:
            two.lock_excl(timeout=500)
        assert code(error) == StatusCode.error_timeout
        assert rm.visalib.clock.now == 0.5
    assert two.query("x") == "x\n"
    assert one.lock_state == AccessModes.no_lock


def test_locks_nest_and_end_with_their_session(rm: pyvisa.ResourceManager) -> None:
    one: Any = rm.open_resource(GPIB)
    two: Any = rm.open_resource(GPIB)
    one.lock_excl()
    one.lock_excl()
    one.unlock()
    with pytest.raises(pyvisa.VisaIOError):
        two.write("x")
    one.close()
    two.lock_excl()
    two.unlock()
    with pytest.raises(pyvisa.VisaIOError) as error:
        two.unlock()
    assert code(error) == StatusCode.error_session_not_locked


def test_a_shared_lock_is_shared_by_its_key(rm: pyvisa.ResourceManager) -> None:
    one: Any = rm.open_resource(GPIB)
    two: Any = rm.open_resource(GPIB)
    three: Any = rm.open_resource(GPIB)
    key = one.lock()
    assert two.lock(requested_key=key) == key
    assert one.query("x") == two.query("x")
    assert one.lock_state == AccessModes.shared_lock
    with pytest.raises(pyvisa.VisaIOError) as error:
        three.write("x")
    assert code(error) == StatusCode.error_resource_locked
    with pytest.raises(pyvisa.VisaIOError):
        rm.visalib.lock(three.session, Lock.shared, 0, "another key")
    with pytest.raises(pyvisa.VisaIOError):
        three.lock_excl(timeout=0)
    one.unlock()
    two.unlock()
    assert three.query("x") == "x\n"


def test_opening_with_a_lock(rm: pyvisa.ResourceManager) -> None:
    one = rm.open_resource(GPIB, access_mode=AccessModes.exclusive_lock)
    with pytest.raises(pyvisa.VisaIOError) as error:
        rm.open_resource(GPIB, access_mode=AccessModes.exclusive_lock)
    assert code(error) == StatusCode.error_resource_locked
    one.close()
    rm.open_resource(GPIB, access_mode=AccessModes.exclusive_lock)


# -- attributes --------------------------------------------------------------------------------------------------------


def test_attributes_of_the_address(rm: pyvisa.ResourceManager) -> None:
    gpib: Any = rm.open_resource(GPIB)
    usb: Any = rm.open_resource(USB)
    sock: Any = rm.open_resource(SOCKET)
    assert gpib.primary_address == 5
    assert (usb.manufacturer_id, usb.model_code, usb.serial_number) == (0x0699, 0x0358, "C013019")
    address = [sock.get_visa_attribute(a) for a in (ResourceAttribute.tcpip_address, ResourceAttribute.tcpip_port)]
    assert address == ["192.168.1.26", 5025]
    assert gpib.resource_name == GPIB
    assert gpib.interface_type == InterfaceType.gpib
    assert gpib.timeout == 2000


def test_attributes_that_are_not_there_or_not_to_be_set(rm: pyvisa.ResourceManager) -> None:
    gpib: Any = rm.open_resource(GPIB)
    with pytest.raises(pyvisa.VisaIOError) as error:
        gpib.get_visa_attribute(ResourceAttribute.tcpip_port)
    assert code(error) == StatusCode.error_nonsupported_attribute
    with pytest.raises(pyvisa.VisaIOError) as error:
        gpib.set_visa_attribute(ResourceAttribute.resource_name, "x")
    assert code(error) == StatusCode.error_attribute_read_only
    with pytest.raises(pyvisa.VisaIOError) as error:
        gpib.set_visa_attribute(ResourceAttribute.termchar, 256)
    assert code(error) == StatusCode.error_nonsupported_attribute_state


# -- service requests --------------------------------------------------------------------------------------------------


def test_a_service_request_is_waited_for(rm: pyvisa.ResourceManager) -> None:
    gpib: Any = rm.open_resource(GPIB)
    gpib.enable_event(EventType.service_request, EventMechanism.queue)
    gpib.write("LATER 1.5")
    response = gpib.wait_on_event(EventType.service_request, 5000)
    assert not response.timed_out
    assert response.event.event_type == EventType.service_request
    assert rm.visalib.clock.now == 1.5
    assert gpib.wait_on_event(EventType.service_request, 100, capture_timeout=True).timed_out
    gpib.read()
    gpib.write("again")
    assert not gpib.wait_on_event(EventType.service_request, 0).timed_out
    gpib.disable_event(EventType.service_request, EventMechanism.queue)
    with pytest.raises(pyvisa.VisaIOError) as error:
        gpib.wait_on_event(EventType.service_request, 0)
    assert code(error) == StatusCode.error_not_enabled


def test_wait_for_srq(rm: pyvisa.ResourceManager) -> None:
    gpib: Any = rm.open_resource(GPIB)
    gpib.write("LATER 3")
    gpib.wait_for_srq(10000)
    assert gpib.read() == "late\n"


def test_a_handler_is_called(rm: pyvisa.ResourceManager) -> None:
    gpib: Any = rm.open_resource(GPIB)
    calls: list[Any] = []

    def handler(session: Any, event_type: Any, context: Any, user_handle: Any) -> None:
        calls.append((session, event_type, user_handle))

    handle = gpib.install_handler(EventType.service_request, handler, 42)
    gpib.enable_event(EventType.service_request, EventMechanism.handler)
    gpib.write("x")
    assert calls == [(gpib.session, EventType.service_request, 42)]
    gpib.read()
    gpib.disable_event(EventType.service_request, EventMechanism.handler)
    gpib.uninstall_handler(EventType.service_request, handler, handle)
    gpib.write("x")
    assert len(calls) == 1


def test_a_raw_socket_requests_no_service(rm: pyvisa.ResourceManager) -> None:
    with pytest.raises(pyvisa.VisaIOError) as error:
        rm.open_resource(SOCKET).enable_event(EventType.service_request, EventMechanism.queue)
    assert code(error) == StatusCode.error_invalid_event


# -- lost links --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "address", "on_write", "on_read"),
    [
        ("gpib", GPIB, StatusCode.error_no_listeners, StatusCode.error_timeout),
        ("usb", USB, StatusCode.error_connection_lost, StatusCode.error_connection_lost),
        ("sock", SOCKET, StatusCode.error_connection_lost, StatusCode.error_connection_lost),
    ],
)
def test_a_lost_link(
    open_manager: Callable[..., pyvisa.ResourceManager], name: str, address: str, on_write: Any, on_read: Any
) -> None:
    rm = open_manager(f"?faults.instrument_lost_after.{name}=2")
    instrument: Any = rm.open_resource(address, read_termination="\n", write_termination="\n")
    assert instrument.query("x") == "x"
    rm.visalib.clock.sleep(2.0)
    with pytest.raises(pyvisa.VisaIOError) as error:
        instrument.write("x")
    assert code(error) == on_write
    with pytest.raises(pyvisa.VisaIOError) as error:
        instrument.read()
    assert code(error) == on_read
    with pytest.raises(pyvisa.VisaIOError) as error:
        rm.open_resource(address)
    assert code(error) == StatusCode.error_resource_not_found


def test_outputs_stay_as_they_were_when_the_link_is_lost(open_manager: Callable[..., pyvisa.ResourceManager]) -> None:
    rm = open_manager("?faults.instrument_lost_after.gpib=2 s")
    instrument: Any = rm.open_resource(GPIB)
    instrument.write("DRIVE 2.1")
    rm.visalib.clock.sleep(10.0)
    assert rm.visalib.true_voltages()["pd"] == pytest.approx(2.0)
