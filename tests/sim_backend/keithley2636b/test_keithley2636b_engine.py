"""The TSP engine: Lua 5.0 on Lua 5.1, run-time errors, runaway scripts (reference keithley2636b sec. 2, 4, 6)."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.keithley2636b.dialect import translate
from sim_backend.keithley2636b.engine import runtime_text, syntax_text


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("for k, v in {7, 8} do print(k, v) end", "1.00000e+00\t7.00000e+00"),
        ("for k, v in pairs({a = 5}) do print(k, v) end", "a\t5.00000e+00"),
        ("t = {n = 3} print(table.getn(t))", "3.00000e+00"),
        ("t = {} table.setn(t, 4) print(table.getn(t))", "4.00000e+00"),
        ("t = {1} table.setn(t, 1) table.insert(t, 2) print(table.getn(t), t[2])", "2.00000e+00\t2.00000e+00"),
        ("print(math.mod(7, 4), math.pow(2, 3), math.log10(100))", "3.00000e+00\t8.00000e+00\t2.00000e+00"),
        ("function f(...) return arg.n, arg[2] end print(f(4, 5, 6))", "3.00000e+00\t5.00000e+00"),
        ("print([[a [[b]] c]])", "a [[b]] c"),
        ("--[[ a [[nested]] comment ]] print(1)", "1.00000e+00"),
        ("for w in string.gfind('ab cd', '%a+') do s = w end print(s)", "cd"),
        ("print(table.foreach({5, 6}, function(k, v) if v == 6 then return k end end))", "2.00000e+00"),
        ("print(unpack({1, 2}))", "1.00000e+00\t2.00000e+00"),
        ("print(_VERSION)", "Lua 5.0"),
        ("print(type(gcinfo()), collectgarbage())", "number\t0.00000e+00"),
        ("print(string.gmatch, string.match, select, coroutine, debug, python, package)", "\t".join(["nil"] * 7)),
        ("print(loadstring('return 1 + 1')())", "2.00000e+00"),
        ("local f, m = loadstring('x =') print(f)", "nil"),
        ("i = 0 while i < 3 do i = i + 1 end print(i)", "3.00000e+00"),
        ("i = 0 repeat local j = i i = i + 1 until j == 2 print(i)", "3.00000e+00"),
        ("t = setmetatable({}, {__call = function(self, s, k) k = (k or 0) + 1 if k < 3 then return k end end}) "
         "for k in t do s = k end print(s)", "2.00000e+00"),
        ("print(pcall(error, 'no'))", "false\tno"),
        ("print(xpcall(function() error('a', 0) end, function(m) return m .. 'b' end))", "false\tab"),
        ("print(math.random(3, 3))", "3.00000e+00"),
        ("print(os.time() > 1.6e9, io.open('/usb1/x', 'r'))", "true\tnil\t/usb1/x: No such file or directory"),
    ],
)  # fmt: skip
def test_language(wire, line, reply):
    assert wire.ask(line) == reply
    assert wire.errors() == []


def test_strings_have_no_methods(wire):
    wire.write("print(('x'):upper())")
    assert wire.error() == (-286, "TSP Runtime error at line 1: attempt to index a string value")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("smux.reset()", "TSP Runtime error at line 1: attempt to index global `smux' (a nil value)"),
        ("smua.nothing.x = 1", "TSP Runtime error at line 1: attempt to index field `nothing' (a nil value)"),
        (
            "trigger.timer[1].start.stimulus = 1",
            "TSP Runtime error at line 1: attempt to index field `start' (a nil value)",
        ),
        ("nothing()", "TSP Runtime error at line 1: attempt to call global `nothing' (a nil value)"),
        ("x = 1 + nil", "TSP Runtime error at line 1: attempt to perform arithmetic on a nil value"),
        ("error('boo')", "TSP Runtime error at line 1: boo"),
        ('error("it\'s mine")', "TSP Runtime error at line 1: it's mine"),
        ("smua.source.levels = 1", "TSP Runtime error at line 1: Cannot modify read only table"),
        ("smua.measure.func = 1", "TSP Runtime error at line 1: Cannot modify read only table"),
        ("smua.measure.i = 1", "TSP Runtime error at line 1: Cannot modify read only table"),
        ("localnode.model = 'x'", "TSP Runtime error at line 1: Cannot modify read only table"),
        ("string.rep()", "TSP Runtime error at line 1: bad argument #1 to `rep' (string expected, got no value)"),
    ],
)
def test_runtime_errors(wire, line, text):
    wire.write(line)
    assert wire.error() == (-286, text)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("*OPTS", "TSP Syntax error at line 1: unexpected symbol near `*'"),
        ("x = = 2", "TSP Syntax error at line 1: unexpected symbol near `='"),
        ("for k in x", "TSP Syntax error at line 1: `do' expected near `<eof>'"),
        ("while true do", "TSP Syntax error at line 1: `end' expected near `<eof>'"),
    ],
)
def test_syntax_errors_run_nothing(wire, line, text):
    wire.write(f"print(1) {line}" if not line.startswith("*") else line)
    assert wire.error() == (-285, text)
    assert wire.read(1.0) is None


def test_error_ends_the_line_but_not_the_instrument(wire):
    wire.write("print(1) nothing() print(2)", "print(3)")
    assert [wire.read(), wire.read(), wire.read(1.0)] == ["1.00000e+00", "3.00000e+00", None]


def test_ordinary_errors_let_the_line_go_on(wire):
    assert wire.ask("smua.measure.nplc = 100 smua.source.limiti = 0 smua.source.levelv = nil print('on')") == "on"
    assert wire.errors() == [-222, 1102, -104]


def test_unknown_member_reads_nil_without_error(wire):
    assert wire.ask("print(localnode.version, smua.AUTOZERO_ON)") == "nil\tnil"
    assert wire.errors() == []
    wire.write("smua.measure.autozero = smua.AUTOZERO_ON")
    assert wire.errors() == [-104]


def test_globals_can_be_lost(wire):
    wire.write("digio = 5", "digio.writebit(1, 1)")
    assert wire.errors() == [-286]


def test_locals_live_for_a_line_only(wire):
    wire.write("local a = 1 b = 2")
    assert wire.ask("print(a, b)") == "nil\t2.00000e+00"


def test_waiting_works_inside_pcall_and_foreach(wire):
    wire.write("print(pcall(function() delay(0.5) return 'ok' end))")
    assert wire.read(0.4) is None
    assert wire.read(0.2) == "true\tok"
    start = wire.clock.now
    assert wire.ask("table.foreach({1, 2}, function(k, v) delay(1) end) print('done')") == "done"
    assert wire.clock.now - start == pytest.approx(2, abs=1e-3)
    assert wire.ask("print(pcall(function() pcall(delay, 1) error('x', 0) end))") == "false\tx"


def test_exit_ends_the_script_without_error(wire):
    wire.write("print(1) pcall(exit) print(2)")
    assert [wire.read(), wire.read(1.0)] == ["1.00000e+00", None]
    assert wire.errors() == []


def test_loops_that_turn_let_time_pass(wire):
    start = wire.clock.now
    assert wire.ask("timer.reset() while timer.measure.t() < 2 do end print('later')") == "later"
    assert wire.clock.now - start == pytest.approx(2, abs=5e-3)


def test_endless_loop_answers_nothing_until_abort(wire):
    wire.write("while true do x = 1 end", "print('next')")
    assert wire.read(0.2) is None
    wire.write("abort")
    assert wire.read() == "next"
    assert wire.errors() == []


def test_recursion_without_end_is_stopped(make_wire):
    wire = make_wire(endless_loop=2_000_000)
    wire.write("function f() return f() end f()")
    assert wire.error() == (-286, "TSP Runtime error at line 1: endless loop stopped")
    wire.write("pcall(function() for k = 1, 1e12 do end end)", "function g() g() end g()")
    assert wire.errors() == [-286]
    assert wire.ask("print(1)") == "1.00000e+00"


def test_memory_is_limited(make_wire):
    wire = make_wire(memory=4 * 1024 * 1024)
    wire.write("t = {} for k = 1, 1e7 do t[k] = k end")
    assert wire.errors() == [-225]
    wire.write("t = nil collectgarbage()")
    free, total = wire.values("print(meminfo())")
    assert 0 < free <= total == 4096


def test_host_is_out_of_reach(wire):
    wire.write("x = require('os')", "dofile('/etc/passwd')", "print(loadlib('/lib/libc.so.6', 'system'))")
    assert wire.errors() == [-286, -286]
    assert wire.read().startswith("nil")
    assert wire.ask("print(io.open('/etc/passwd'))").startswith("nil")


@pytest.mark.parametrize(
    "line", ["digio.writebit(1, 1)", "pcall(digio.writebit, 1, 1) print('no')", "delay(1) digio.writebit(1, 1)"]
)
def test_interrupt_of_the_program_comes_out_and_the_instrument_goes_on(wire, line):
    wire.lines.listen("smu.digio.1", lambda level: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        wire.ask(line)
    assert wire.ask("print(digio.readbit(1))") == "1.00000e+00"
    assert wire.errors() == []


def test_random_numbers_repeat(make_wire):
    line = "math.randomseed(3) print(math.random(), math.random(10), math.random(5, 6))"
    assert make_wire().ask(line) == make_wire().ask(line)


def test_user_quotes_stay():
    assert runtime_text("tsp:3: attempt to call field 'x' (a nil value)") == (
        "TSP Runtime error at line 3: attempt to call field `x' (a nil value)"
    )
    assert syntax_text("tsp:2: '=' expected near 'x'") == "TSP Syntax error at line 2: `=' expected near `x'"
    assert runtime_text("boo") == "TSP Runtime error: boo"


@pytest.mark.parametrize(
    "source",
    [
        "for k = 1, 3 do x = 'for k in t do' end",
        "-- while for in do\nx = 1",
        'x = "a \\" while" .. \'repeat\'',
        "x = t.repeat_count",
        "x = [[while]]",
    ],
)
def test_nothing_is_rewritten_needlessly(source):
    assert translate(source) == source


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("for k, v in t do end", "in __each( t ) do"),
        ("for k in f(function() while x do end end) do end", "while x do __turn()  end end) ) do"),
        (
            "for k in function() for j in u do end end do end",
            "in __each( function() for j in __each( u ) do end end ) do",
        ),
        ("while f(function() do end end) do x() end", "end) do __turn()  x()"),
        ("repeat x() until y", "repeat __turn()  x()"),
    ],
)
def test_rewriting_in_place(source, inside):
    assert inside in translate(source)
    assert translate(source).count("\n") == source.count("\n")


@given(text=st.text(alphabet="\"'[]-= \n\\abdefhinoprtuwxl(){}", max_size=60))
def test_rewriting_takes_any_text_and_keeps_its_lines(text):
    assert translate(text).count("\n") == text.count("\n")
