"""Every known gotcha of the 2636B that a driver must handle (reference keithley2636b sec. 17), by its number."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import pyvisa

from drivers.errors import InstrumentError, ReadBackError, ReplyError, SettingError
from drivers.keithley2636b_data import ReadSetup, reading_time

Connect = Callable[..., Any]
TIMEOUT = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
LUA = (files("drivers") / "tsp" / "sweep.lua").read_text(encoding="utf-8")
QUEUE_EMPTY = "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"
READY = ReadSetup(1e-5, 1e-6, 1.0, None, "high_z", "local", "once", "voltage")


def test_1_stale_replies_are_drained_from_a_raw_socket_at_connect(smu_on_wire: Connect) -> None:
    drained = Mock(side_effect=[b"stale\n", TIMEOUT])
    with smu_on_wire([], attributes={"resource_class": "SOCKET", "read_raw": drained}) as smu:
        assert smu.adapter.connection.clear.call_count == 0
    assert drained.call_count == 2


def test_1_other_links_are_cleared_at_connect(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        assert smu.adapter.connection.clear.call_count == 1


def test_1_replies_that_come_late_are_read_over(smu_on_wire: Connect) -> None:
    """A reply that was on its way while the link was cleared precedes the answer to our mark."""
    with smu_on_wire([]) as smu:
        smu.write = Mock()
        smu.read = Mock(side_effect=["1.0e-9", "TSP>", "synchronised 1", "synchronised 2"])
        smu.synchronise()
        assert smu.read.call_count == 4


def test_1_lines_waiting_behind_an_aborted_one_are_aborted_too(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        smu.write = Mock()
        smu.read = Mock(side_effect=[TIMEOUT, TIMEOUT, "synchronised 2", "synchronised 3", "synchronised 4"])
        smu.synchronise()
        assert [call.args[0] for call in smu.write.call_args_list].count("abort") == 3
        smu.read = Mock(side_effect=TIMEOUT)
        with pytest.raises(pyvisa.VisaIOError):
            smu.synchronise()


def test_1_an_instrument_that_never_answers_in_turn_is_given_up(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        smu.write = Mock()
        smu.read = Mock(return_value="babble")
        with pytest.raises(ReplyError, match="messages without end"):
            smu.synchronise()


def test_2_a_line_that_fails_answers_nothing_and_is_explained_by_the_queue(smu_on_wire: Connect) -> None:
    line = "smua.source.levelx=1 print(errorqueue.count)"
    text = "TSP Runtime error at line 1: Cannot modify read only table"
    with smu_on_wire([]) as smu:
        smu.synchronise = Mock()
        smu.ask = Mock(side_effect=[TIMEOUT, f"-2.86000e+02\t{text}\t2.00000e+01\t1.00000e+00", QUEUE_EMPTY])
        with pytest.raises(InstrumentError, match="-286, TSP Runtime error") as caught:
            smu.exchange(["smua.source.levelx=1"])
    assert (caught.value.severity, caught.value.command) == (20, line)
    assert smu.synchronise.call_count == 1


def test_2_a_timeout_without_an_error_stays_a_timeout(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        smu.synchronise = Mock()
        smu.ask = Mock(side_effect=[TIMEOUT, QUEUE_EMPTY])
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
            smu.exchange([])


def test_2_every_line_ends_with_the_number_of_errors(smu_on_wire: Connect) -> None:
    pairs = [
        ("smua.source.levelv=1 print(errorqueue.count)", "1.00000e+00"),
        ("print(errorqueue.next())", "5.02800e+03\tSMU A: Cannot perform\t2.00000e+01\t1.00000e+00"),
        ("print(errorqueue.next())", QUEUE_EMPTY),
    ]
    with smu_on_wire(pairs) as smu, pytest.raises(InstrumentError, match="5028, SMU A: Cannot perform"):
        smu.exchange(["smua.source.levelv=1"])


def test_3_binary_answers_are_read_by_length_whatever_bytes_they_hold(smu_on_wire: Connect) -> None:
    newlines = np.frombuffer(b"\n" * 16, "<f8")
    with smu_on_wire([("printbuffer(1,2,x)", b"#0" + b"\n" * 16 + b"\n")]) as smu:
        smu.write("printbuffer(1,2,x)")
        assert np.array_equal(smu.read_block(2), newlines)


def test_4_all_digits_are_printed(smu_on_wire: Connect) -> None:
    from_connect = "format.asciiprecision=16"
    with smu_on_wire([]) as smu:
        assert from_connect in smu.adapter.comm_pairs[3][0]


def test_4_line_feeds_and_formats_of_other_programs_are_restored_to_ascii() -> None:
    """A format left binary would spoil the next program's printbuffer."""
    assert LUA.index("format.data = format.REAL64") < LUA.index("printbuffer") < LUA.index("format.data = format.ASCII")


def test_5_ranges_delay_and_autozero_can_all_be_fixed() -> None:
    text = " ".join(ReadSetup(1e-5, 1e-6, 0.01, 0.0, "high_z", "local", "off", "voltage").statements().values())
    assert "measure.rangei=1e-06" in text
    assert "measure.delay=0" in text
    assert "measure.autozero=0" in text
    assert "measure.nplc=0.01" in text


def test_6_off_is_high_impedance_unless_asked_otherwise() -> None:
    assert READY.statements()["off mode"] == "source.offmode=2"


def test_7_reset_is_the_whole_instruments_and_formats_are_set_again(smu_on_wire: Connect) -> None:
    """A channel's reset would leave timers, blenders and the lines' triggers as the last run had them."""
    pairs = [
        ("reset() print(errorqueue.count)", "0.0"),
        (
            "errorqueue.clear() format.data=1 format.asciiprecision=16 print(localnode.linefreq, errorqueue.count)",
            "60.0\t0.0",
        ),
    ]
    with smu_on_wire(pairs) as smu:
        smu.channel("a")._setup = READY
        smu.reset()
        assert smu.line_frequency == 60
        with pytest.raises(SettingError):
            smu.channel("a").source(0.1)


def test_8_source_range_is_fixed_during_a_sweep() -> None:
    assert LUA.index("hold_range(smu, level, largest)") < LUA.index("measure(currents, voltages)")


def test_11_the_link_waits_as_long_as_the_sweep_may_take(smu_on_wire: Connect) -> None:
    waited: list[float] = []
    with smu_on_wire([]) as smu:
        channel = smu.channel("a")
        channel._setup = READY
        smu.load_script = Mock(return_value="script")

        def read(count: int) -> bytes:
            waited.append(smu.adapter.connection.timeout)
            return b"#0" + np.zeros(count // 8).tobytes() + b"\n"

        smu.write = Mock()
        smu.read_bytes = read
        smu.read = Mock(return_value="failed")
        with pytest.raises(InstrumentError):
            channel.sweep(np.zeros(100), dwell=0.5)
        assert smu.adapter.connection.timeout == 5000
    # 100 points of 0.5 s, AUTO delay of the 1 uA range, one power line cycle and two of autozero
    assert waited[0] / 1e3 >= 5 + 100 * (0.5 + 2.5e-3 + 3 / 50)


@pytest.mark.parametrize("range_", [None, 100e-12, 1e-9, 1e-6, 1.0])
def test_11_estimate_covers_conversion_autozero_and_the_ranges_delay(range_: float | None) -> None:
    setup = ReadSetup(1e-5, range_, 1.0, None, "high_z", "local", "auto", "voltage")
    longest = 0.45 if range_ in (None, 100e-12, 1e-9) else 0.0
    assert reading_time(setup, 50) >= longest + 3 / 50


def test_13_errors_that_come_only_when_the_output_goes_on_are_raised_there(smu_on_wire: Connect) -> None:
    pairs = [
        ("smua.source.output=1 delay(0.005) print(smua.source.output, errorqueue.count)", "0.0\t1.0"),
        ("print(errorqueue.next())", "8.02000e+02\tOUTPUT blocked by interlock\t2.0e+01\t1.0"),
        ("print(errorqueue.next())", QUEUE_EMPTY),
    ]
    with smu_on_wire(pairs) as smu:
        smu.channel("a")._setup = READY
        with pytest.raises(InstrumentError, match="802, OUTPUT blocked by interlock"):
            smu.channel("a").output(True)
        assert smu.channel("a").is_on is None


def test_13_output_that_does_not_go_on_without_an_error_is_found(smu_on_wire: Connect) -> None:
    pair = ("smua.source.output=1 delay(0.005) print(smua.source.output, errorqueue.count)", "0.0\t0.0")
    with smu_on_wire([pair]) as smu:
        smu.channel("a")._setup = READY
        with pytest.raises(ReadBackError, match="output"):
            smu.channel("a").output(True)


def test_14_compliance_of_zero_is_refused_before_it_is_sent() -> None:
    with pytest.raises(SettingError, match="compliance 0 A"):
        ReadSetup(0.0, None, 1, None, "high_z", "local", "once", "voltage").check()


def test_15_buffers_are_emptied_with_their_cache_before_the_flags_are_set() -> None:
    body = LUA[LUA.index("local function clear") :]
    order = ["buffer.clear()", "buffer.clearcache()", "buffer.appendmode = 1", "buffer.collectsourcevalues = 1"]
    assert sorted(order, key=body.index) == order


def test_19_line_frequency_is_read_or_set_and_read_back(smu_on_wire: Connect) -> None:
    greeting = [
        ("abort", None),
        ("localnode.prompts=0 localnode.showerrors=0 print([[synchronised 1]])", "synchronised 1"),
        ("*IDN?", "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"),
        (
            "errorqueue.clear() format.data=1 format.asciiprecision=16 localnode.linefreq=60"
            " print(localnode.linefreq, errorqueue.count)",
            "5.0e+01\t0.0",
        ),
    ]
    with pytest.raises(ReadBackError, match="line frequency"), smu_on_wire([], greeting=greeting, line_frequency=60):
        pass
    with pytest.raises(SettingError), smu_on_wire([], greeting=greeting[:4], line_frequency=55):
        pass


def test_small_currents_are_not_sent_as_zero() -> None:
    """PyMeasure's own Keithley2600 sends %f: 1e-9 A becomes 0.000000."""
    assert ReadSetup(1e-9, None, 1, None, "high_z", "local", "once", "voltage").statements()["limit"] == (
        "source.limiti=1e-09"
    )


def test_numbers_that_are_none_are_found(smu_on_wire: Connect) -> None:
    pairs = [("print(localnode.version, errorqueue.count)", "nil\t0.0")]
    with smu_on_wire(pairs) as smu, pytest.raises(ReplyError, match="nil"):
        smu.numbers([], ["localnode.version"])


def test_fewer_values_than_asked_are_found(smu_on_wire: Connect) -> None:
    with smu_on_wire([("print(a, b, errorqueue.count)", "1.0\t0.0")]) as smu, pytest.raises(ReplyError):
        smu.numbers([], ["a", "b"])


def test_overflow_is_flagged_not_dropped() -> None:
    from drivers.keithley2636b_data import sweep_data

    data = sweep_data(np.array([[0.1, 0.1, 9.91e37, 0, 0, 1e-6]]), 1)
    assert data.overflow.tolist() == [True]
    assert math.isclose(data.amps[0], 9.91e37)
