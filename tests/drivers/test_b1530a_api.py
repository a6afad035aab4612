"""The library's declarations against the signature table, and every function once through C."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_float, c_int, create_string_buffer
from pathlib import Path
from typing import Any

import pytest

from drivers import wgfmu_header
from drivers.wgfmu_header import SIGNATURES, MeasureCurrentRange, OperationMode, Status
from drivers.wgfmu_library import LibraryMissing, WgfmuError, WgfmuLibrary, functions_at, load_functions, reals
from sim_backend.wgfmu.native import _C_TYPES, DECLARATIONS
from sim_backend.wgfmu.standalone import StandaloneBench

C_TYPES: dict[str, Any] = {
    "int": c_int,
    "double": c_double,
    "const char*": c_char_p,
    "const char**": POINTER(c_char_p),
    "char*": POINTER(c_char),
    "char**": POINTER(POINTER(c_char)),
    "int*": POINTER(c_int),
    "double*": POINTER(c_double),
}


def signature_table() -> dict[str, tuple[Any, ...]]:
    """Argument types of each function from the header's prototypes (reference b1530a sec. 3)."""
    table = {}
    for line in (Path(__file__).parent / "wgfmu_signatures.txt").read_text(encoding="ascii").splitlines():
        match = re.fullmatch(r"(\w+)\((.*)\)", line)
        assert match is not None, line
        arguments = [a.strip() for a in match[2].split(",")] if match[2] else []
        table[match[1]] = tuple(C_TYPES[re.sub(r"\s*\b\w+$", "", a)] for a in arguments)
    return table


TABLE = signature_table()


def test_all_functions_are_declared() -> None:
    assert len(TABLE) == 88
    assert set(SIGNATURES) == set(TABLE)
    assert set(DECLARATIONS) == set(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_driver_declares_what_the_header_says(name: str) -> None:
    assert SIGNATURES[name] == TABLE[name]


@pytest.mark.parametrize("name", sorted(TABLE))
def test_simulated_library_declares_what_the_header_says(name: str) -> None:
    assert tuple(_C_TYPES[kind] for kind in DECLARATIONS[name].split()) == TABLE[name]


def test_no_32_bit_float_anywhere() -> None:
    used = {t for arguments in SIGNATURES.values() for t in arguments}
    assert used <= set(C_TYPES.values())
    assert c_float not in used


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("ErrorCode", range(-15, 0)),
        ("WarningLevel", range(1000, 1004)),
        ("OperationMode", range(2000, 2004)),
        ("ForceVoltageRange", range(3000, 3005)),
        ("MeasureMode", range(4000, 4002)),
        ("MeasureVoltageRange", range(5001, 5003)),
        ("MeasureCurrentRange", range(6001, 6006)),
        ("MeasureEnabled", range(7000, 7002)),
        ("TriggerOutMode", range(8000, 8005)),
        ("TriggerOutPolarity", range(8100, 8102)),
        ("Axis", range(9000, 9002)),
        ("Status", range(10000, 10007)),
        ("EventCompleted", range(11000, 11002)),
        ("EventData", range(12000, 12002)),
    ],
)
def test_constants(group: str, values: range) -> None:
    assert sorted(getattr(wgfmu_header, group)) == list(values)


def test_a_wrong_argument_type_is_seen_by_the_library() -> None:
    """Declared as a 32-bit float, a voltage arrives as something else: why the declarations are compared above."""
    bench = StandaloneBench()
    wrong = ctypes.CFUNCTYPE(c_int, c_char_p, c_float)(bench.library.functions["WGFMU_createPattern"])
    code = wrong(b"p", 3.0)
    stored = bench.library.state.patterns.get("p")
    assert code != 0 or stored is None or stored.volts != [3.0]


def test_every_function_once_through_c(tmp_path: Path) -> None:
    bench = StandaloneBench()
    called: set[str] = set()
    functions = functions_at(bench.wgfmu_functions(bench.address))

    def spied(name: str) -> Callable[..., int]:
        def function(*arguments: Any) -> int:
            called.add(name)
            return functions[name](*arguments)

        return function

    library = WgfmuLibrary({name: spied(name) for name in functions})
    call, ints = library.call, c_int
    sizes = ints(8)
    times, values = (c_double * 8)(), (c_double * 8)()
    real = c_double()

    call("openLogFile", str(tmp_path / "log.txt"))
    call("clear")
    call("setWarningLevel", 1003)
    assert library.integer("getWarningLevel") == 1003
    call("treatWarningsAsErrors", 1001)
    call("createPattern", "a", 0.0)
    call("addVector", "a", 1e-6, 1.0)
    call("addVectors", "a", reals([1e-6, 2e-6]), reals([1.0, 0.0]), 2)
    call("setVector", "a", 5e-6, 0.5)
    call("setVectors", "a", reals([6e-6, 7e-6]), reals([0.5, 0.0]), 2)
    call("setMeasureEvent", "a", "m", 1e-6, 2, 1e-6, 1e-6, 12000)
    call("createMergedPattern", "b", "a", "a", 9000)
    call("createMultipliedPattern", "c", "a", 2.0, 0.5)
    call("createOffsetPattern", "d", "a", 1e-6, 0.1)
    call("setRangeEvent", "a", "r", 0.0, MeasureCurrentRange.MA1)
    call("setTriggerOutEvent", "a", "t", 1e-6, 1e-6)
    call("addSequence", 101, "a", 3.0)
    names = (c_char_p * 2)(b"a", b"c")
    call("addSequences", 101, names, reals([1.0, 2.0]), 2)

    assert library.integer("getPatternForceValueSize", "a") == 7
    call("getPatternForceValues", "a", 0, byref(sizes), times, values)
    assert sizes.value == 7
    assert times[:7] == pytest.approx([0, 1e-6, 2e-6, 4e-6, 5e-6, 6e-6, 7e-6])
    assert values[:7] == [0.0, 1.0, 1.0, 0.0, 0.5, 0.5, 0.0]
    call("getPatternForceValue", "a", 1, byref(real), values)
    assert (real.value, values[0]) == (1e-6, 1.0)
    assert library.real("getPatternInterpolatedForceValue", "a", 0.5e-6) == pytest.approx(0.5)
    assert library.integer("getPatternMeasureTimeSize", "a") == 2
    sizes.value = 8
    call("getPatternMeasureTimes", "a", 0, byref(sizes), times)
    assert times[: sizes.value] == pytest.approx([1.5e-6, 2.5e-6])
    assert library.real("getPatternMeasureTime", "a", 1) == pytest.approx(2.5e-6)

    assert library.real("getForceValueSize", 101) == 7 * 6
    sizes.value = 2
    call("getForceValues", 101, 8.0, byref(sizes), times, values)
    assert (times[0], values[0]) == (pytest.approx(8e-6), 1.0)
    call("getForceValue", 101, 8.0, byref(real), values)
    assert real.value == pytest.approx(8e-6)
    assert library.real("getInterpolatedForceValue", 101, 7.5e-6) == pytest.approx(0.5)
    assert library.integer("getMeasureTimeSize", 101) == 2 * 6
    sizes.value = 3
    call("getMeasureTimes", 101, 1, byref(sizes), times)
    assert times[:3] == pytest.approx([2.5e-6, 8.5e-6, 9.5e-6])
    assert library.real("getMeasureTime", 101, 2) == pytest.approx(8.5e-6)

    assert library.integer("getMeasureEventSize", 101) == 6
    sizes.value = 6
    texts = [[create_string_buffer(512) for _ in range(6)] for _ in range(2)]
    buffers = [(POINTER(c_char) * 6)(*(ctypes.cast(t, POINTER(c_char)) for t in column)) for column in texts]
    columns = [(c_int * 6)() for _ in range(4)]
    loops = (c_double * 6)()
    call("getMeasureEvents", 101, 0, byref(sizes), *buffers, columns[0], loops, *columns[1:])
    assert [t.value for t in texts[0]] == [b"a", b"a", b"a", b"a", b"c", b"c"]
    assert [t.value for t in texts[1]] == [b"m"] * 6
    assert list(columns[0]) == [0, 0, 0, 1, 0, 0]
    assert list(loops) == [0, 1, 2, 0, 0, 1]
    assert list(columns[2]) == [0, 2, 4, 6, 8, 10]
    assert list(columns[3]) == [2] * 6
    pattern, event = create_string_buffer(512), create_string_buffer(512)
    outs = [c_int(), c_double(), c_int(), c_int(), c_int()]
    call("getMeasureEvent", 101, 2, pattern, event, *(byref(o) for o in outs))
    assert (pattern.value, event.value, [o.value for o in outs]) == (b"a", b"m", [0, 2.0, 0, 4, 2])
    attributes = [c_double(), c_int(), c_double(), c_double(), c_int()]
    call("getMeasureEventAttribute", 101, 2, *(byref(o) for o in attributes))
    assert [a.value for a in attributes] == [pytest.approx(1e-6), 2, pytest.approx(1e-6), pytest.approx(1e-6), 12000]

    call("exportAscii", str(tmp_path / "setup"))
    assert (tmp_path / "setup.csv").read_text(encoding="ascii").startswith("#Pattern,#Event,#Name,#Time,#Voltage")

    call("openSession", bench.address)
    call("setTimeout", 20.0)
    call("initialize")
    assert library.channel_ids() == [101, 102, 201]
    assert library.self_test("doSelfTest") == (0, "")
    assert library.self_test("doSelfCalibration") == (0, "")
    for name, setting in {
        "OperationMode": OperationMode.FASTIV,
        "ForceVoltageRange": 3001,
        "MeasureMode": 4001,
        "MeasureVoltageRange": 5001,
        "MeasureCurrentRange": 6004,
    }.items():
        call(f"set{name}", 101, setting)
        assert library.integer(f"get{name}", 101) == setting
    for name in ("ForceDelay", "MeasureDelay"):
        call(f"set{name}", 101, 1.5e-9)
        assert library.real(f"get{name}", 101) == pytest.approx(1.25e-9)
    assert "was rounded to" in library.warnings()
    call("setMeasureEnabled", 101, 7001)
    assert library.integer("isMeasureEnabled", 101) == 7001
    call("setTriggerOutMode", 101, 8004, 8101)
    assert library.integers("getTriggerOutMode", 2, 101) == [8004, 8101]
    call("connect", 101)
    call("update")
    call("updateChannel", 101)
    call("execute")
    assert library.status()[0] is Status.RUNNING
    call("waitUntilCompleted")
    state = ints()
    call("getChannelStatus", 101, byref(state), byref(real), values)
    assert state.value == Status.COMPLETED
    assert library.integers("getMeasureValueSize", 2, 101) == [12, 12]
    assert len(library.values(101, 0, 12)[1]) == 12
    call("getMeasureValue", 101, 11, byref(real), values)
    assert library.integers("getCompletedMeasureEventSize", 2, 101) == [6, 6]
    found = [c_int() for _ in range(4)]
    call("isMeasureEventCompleted", 101, "a", "m", 1, 0.0, 0, *(byref(f) for f in found))
    assert [f.value for f in found] == [11001, 3, 6, 2]
    call("execute")
    call("abortChannel", 101)
    call("abort")
    call("setOperationMode", 101, OperationMode.DC)
    call("dcforceVoltage", 101, -2.0)
    assert library.real("dcmeasureValue", 101) == pytest.approx(0.0, abs=1e-6)
    assert library.real("dcmeasureAveragedValue", 101, 100, 2) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(WgfmuError, match="Channel 7 does not exist"):
        call("connect", 7)
    assert library.integer("getErrorSummarySize") > 50
    summary = create_string_buffer(4096)
    sizes.value = 4096
    call("getErrorSummary", summary, byref(sizes))
    assert summary.value == b"-9: Error in WGFMU_connect(7);\n\tChannel 7 does not exist or is not a WGFMU channel.\n"
    call("disconnect", 101)
    call("closeSession")
    call("closeLogFile")
    assert "Error in WGFMU_connect(7);" in (tmp_path / "log.txt").read_text(encoding="ascii")
    assert called == set(TABLE)
    assert bench.library.crashes == []


def test_missing_library_says_what_to_do() -> None:
    if sys.platform == "win32":
        with pytest.raises(LibraryMissing, match="install the B1530A instrument library"):
            load_functions("no_such_library.dll")
    else:
        with pytest.raises(LibraryMissing, match="Windows only"):
            load_functions()


def test_a_function_that_is_not_there_is_named() -> None:
    addresses = StandaloneBench().library.functions
    del addresses["WGFMU_update"]
    with pytest.raises(LibraryMissing, match="WGFMU_update"):
        functions_at(addresses)


def test_exceptions_carry_the_text_and_only_their_own() -> None:
    bench = StandaloneBench()
    library = WgfmuLibrary(functions_at(bench.wgfmu_functions("")))
    for name in ("first", "second"):
        with pytest.raises(WgfmuError) as raised:
            library.call("addVector", name, 1e-6, 1.0)
        assert raised.value.code == -10
        assert f'Pattern "{name}" is not found.' in raised.value.text
        assert raised.value.text.count("Error in") == 1
        assert raised.value.command == f'WGFMU_addVector("{name}", 1e-06, 1.0)'


def test_calls_can_be_listened_to() -> None:
    bench = StandaloneBench()
    library = WgfmuLibrary(functions_at(bench.wgfmu_functions("")))
    heard: list[tuple[str, bytes]] = []
    library.on_call = lambda direction, text: heard.append((direction, text))
    library.call("createPattern", "p", 0.5)
    library.call("setVectors", "p", reals([1e-6, 3e-6]), reals([0.1 + 0.2, 0.0]), 2)
    library.pattern_points("p")
    with pytest.raises(WgfmuError):
        library.call("createPattern", "p", 0.5)
    assert heard[:10] == [
        (">", b'WGFMU_createPattern("p", 0.5)'),
        ("<", b"0"),
        (">", b'WGFMU_setVectors("p", [1e-06, 3e-06], [0.30000000000000004, 0.0], 2)'),
        ("<", b"0"),
        (">", b'WGFMU_getPatternForceValueSize("p", &0)'),
        ("<", b"0: 3"),
        (">", b'WGFMU_getPatternForceValues("p", 0, &3, &, &)'),
        ("<", b"0: 3, [0.0, 1e-06, 3e-06], [0.5, 0.30000000000000004, 0.0]"),
        (">", b'WGFMU_createPattern("p", 0.5)'),
        ("<", b"-12"),
    ]
    assert heard[10] == (">", b"WGFMU_getErrorSize(&0)")
