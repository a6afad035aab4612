"""Reads that go straight to the VISA library bring what PyVISA's own reads would bring."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvisa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymeasure.adapters import VISAAdapter

from drivers.adapter import DirectVISAAdapter
from drivers.afg31000 import AFG31000


@pytest.fixture(params=["afg31000", "keithley2636b"])
def both(driver_bench: Callable[..., Any], request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A driver (message-based USB; a raw socket, whose replies end with a newline alone), and PyVISA below it."""
    driver = driver_bench(request.param).driver
    return driver, driver.adapter.connection


def _query(driver: Any) -> str:
    return "print([[one, two and three]])" if hasattr(driver, "load_script") else "*IDN?"


@pytest.mark.parametrize("chunk", [1, 7, 20 * 1024])
def test_replies_longer_than_a_chunk_come_whole(both: tuple[Any, Any], chunk: int) -> None:
    driver, link = both
    assert isinstance(driver.adapter, DirectVISAAdapter)
    link.chunk_size = chunk
    driver.write(_query(driver))
    expected = link.read()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert driver.ask(_query(driver)) == expected


@given(numbers=st.lists(st.sampled_from([0x0A0A0A0A0A0A0A0A, 0x0A00000000000000, 1, 1 << 62]), min_size=1, max_size=9))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_look_like_terminators_are_read_by_length(
    driver_bench: Callable[..., Any], numbers: list[int]
) -> None:
    smu = driver_bench("keithley2636b").driver
    wanted = np.array(numbers, dtype="<u8").view("<f8")
    listed = ",".join(f"{value:.17g}" for value in wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smu.write(f"format.byteorder=1 format.data=3 printnumber({listed}) format.data=1")
        assert smu.read_bytes(3 + 8 * len(wanted)) == b"#0" + wanted.tobytes() + b"\n"


def test_a_reply_without_its_terminator_is_warned_of(driver_bench: Callable[..., Any]) -> None:
    afg = driver_bench("afg31000").driver
    afg.adapter.connection.read_termination = "\r"
    with pytest.warns(UserWarning, match="doesn't end with termination"):
        assert afg.ask("*IDN?").endswith("\n")


@given(command=st.text(st.characters(codec="ascii", exclude_characters="\n"), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_commands_are_written_as_pyvisa_writes_them(driver_bench: Callable[..., Any], command: str) -> None:
    driver = driver_bench("afg31000").driver
    link = driver.adapter.connection
    sent: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link.visalib, "write", lambda session, data: (sent.append(data), 0), raising=False)
        driver.write(command)
        link.write(command)
    assert sent[0] == sent[1] == command.encode() + b"\n"


def test_a_command_that_brings_its_own_terminator_is_warned_of(driver_bench: Callable[..., Any]) -> None:
    with pytest.warns(UserWarning, match="already ends with termination"):
        driver_bench("afg31000").driver.write("*CLS\n")


def test_no_reply_is_a_timeout(both: tuple[Any, Any]) -> None:
    driver, link = both
    link.timeout = 10
    for read in (driver.read, lambda: driver.read_bytes(3)):
        with pytest.raises(pyvisa.VisaIOError, match="Timeout"):
            read()


def test_an_adapter_of_ones_own_is_left_alone(driver_bench: Callable[..., Any]) -> None:
    bench = driver_bench("afg31000")
    own = VISAAdapter(bench.address, visa_library=bench.library, read_termination="\n", write_termination="\n")
    afg = AFG31000(own, clock=bench.clock)
    assert afg.adapter is own
    assert afg.identity == bench.driver.identity
