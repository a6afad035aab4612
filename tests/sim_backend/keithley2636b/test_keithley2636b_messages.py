"""Framing, queueing, scripts and common commands (reference keithley2636b sec. 1, 4, 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st


def test_message_in_pieces(wire):
    for piece in (b"pri", b"nt(", b"1)\npri", b"nt(2)", b"\n"):
        wire.smu.write(piece, False)
    assert [wire.read(), wire.read()] == ["1.00000e+00", "2.00000e+00"]


def test_end_of_message_stands_for_line_feed(wire):
    wire.smu.write(b"print(1)", True)
    assert wire.read() == "1.00000e+00"
    wire.smu.write(b"print(1)", False)
    assert wire.read(1.0) is None


def test_carriage_returns_are_blanks(wire):
    wire.smu.write(b"print(1)\r\nprint(2)\r\n", True)
    assert [wire.read(), wire.read()] == ["1.00000e+00", "2.00000e+00"]
    wire.smu.write(b"*IDN?\r\n", True)
    assert wire.read() == "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"


@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_where_the_wire_cuts_does_not_matter(cuts):
    from sim_backend.clock import Clock
    from sim_backend.keithley2636b.messages import CommandQueue
    from sim_backend.keithley2636b.source import Pace

    taken = []

    class Interpreter:
        def chunk(self, line):
            taken.append(line)
            return iter(())

        def prompt(self, loading):
            pass

    data = b"print(1)\r\n\nprint(2) print(3)\nlocal x = 1\n"
    clock = Clock()
    queue = CommandQueue(Interpreter(), clock, Pace(clock), 0)
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        queue.feed(data[at:cut], False, lambda: None)
        at = max(at, cut)
    assert taken == ["print(1)", "print(2) print(3)", "local x = 1"]


def test_reply_can_be_read_byte_by_byte(wire):
    wire.write("print(1) print(2)")
    wire.finish(1.0)
    parts = [wire.smu.read(1) for _ in range(12)]
    assert b"".join(data for data, _ in parts) == b"1.00000e+00\n"
    assert [end for _, end in parts] == [False] * 11 + [True]
    assert wire.smu.read(100) == (b"2.00000e+00\n", True)
    assert wire.smu.read(100) == (b"", False)


def test_lines_wait_for_the_one_that_runs(wire):
    wire.write("delay(1) print('first')", "print('second')")
    assert wire.read(0.9) is None
    assert [wire.read(0.2), wire.read(0.01)] == ["first", "second"]


def test_unread_replies_stay_and_shift_later_ones(wire):
    wire.write("print(1)")
    assert wire.ask("print(2)") == "1.00000e+00"
    assert wire.read() == "2.00000e+00"


def test_failed_query_never_answers(wire):
    assert wire.ask("print(nothing.x)", 5.0) is None
    assert wire.errors() == [-286]


def test_abort_ends_the_line_and_leaves_the_output(wire):
    wire.write("smua.source.levelv = 1 smua.source.output = 1 delay(100) smua.source.output = 0", "print('next')")
    wire.finish(1.0)
    wire.write("abort")
    assert wire.read() == "next"
    assert wire.circuit.true_voltage("pd") == pytest.approx(1.0)
    assert wire.errors() == []


def test_abort_ends_a_sweep(wire):
    wire.write(
        "smua.trigger.source.listv({1, 2}) smua.trigger.source.action = 1 smua.trigger.count = 0",
        "smua.source.output = 1 smua.source.delay = 0.1 smua.trigger.initiate()",
    )
    wire.finish(1.0)
    assert wire.value("status.operation.sweeping.condition") == 2
    wire.write("abort")
    assert wire.value("status.operation.sweeping.condition") == 0


def test_abort_ends_a_measurement(wire):
    wire.write("smua.measure.nplc = 25 smua.measure.i(smua.nvbuffer1)")
    wire.finish(0.1)
    assert wire.smu.status["operation.measuring"].condition == 2
    wire.write("abort")
    assert wire.values("print(status.operation.measuring.condition, smua.nvbuffer1.n)") == [0, 0]


def test_device_clear_drops_what_has_not_run(wire):
    wire.write("x = 1 print(x) delay(10) x = 2", "x = 3")
    wire.finish(1.0)
    wire.smu.write(b"x = 4", False)
    wire.smu.clear()
    assert not wire.smu.pending()
    assert wire.value("x") == 1
    assert wire.errors() == []


def test_long_lines_when_the_buffer_is_limited(make_wire):
    wire = make_wire(line_limit=100)
    wire.write("x = '" + "a" * 200 + "'")
    assert wire.errors() == [-363]
    assert wire.ask("print(x)") == "nil"


# -- common commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("*IDN?", "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"),
        ("*idn? ", "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"),
        ("*OPC?", "1"),
        ("*TST?", "0"),
        ("*ESE?", "0"),
        ("*SRE?", "0"),
        ("*STB?", "0"),
        ("*ESR?", "128"),
    ],
)
def test_common_queries(wire, command, reply):
    assert wire.ask(command) == reply
    assert wire.errors() == []


def test_enables_and_event_register(wire):
    wire.write("*ESE 48", "*SRE 32")
    assert [wire.ask("*ESE?"), wire.ask("*SRE?")] == ["48", "32"]
    wire.write("x = = 1")
    assert wire.ask("*STB?") == str(4 + 32 + 64)
    assert wire.ask("*ESR?") == str(16 + 128)
    assert wire.ask("*ESR?") == "0"
    assert wire.ask("*STB?") == "4"
    wire.write("*CLS")
    assert wire.errors() == []
    assert [wire.ask("*ESE?"), wire.ask("*STB?")] == ["48", "0"]


def test_clear_status_empties_the_output_queue(wire):
    wire.write("print(1)", "*CLS")
    assert wire.read(1.0) is None


@pytest.mark.parametrize("command", ["*OPT?", "*LRN?", "*RCL 1", "*SAV 1", "*PSC 1"])
def test_absent_common_commands_are_lua(wire, command):
    wire.write(command)
    assert wire.error() == (-285, "TSP Syntax error at line 1: unexpected symbol near `*'")


def test_operation_complete_waits_for_overlapped_work(wire):
    wire.write("smua.measure.nplc = 25 smua.measure.overlappedi(smua.nvbuffer1)", "*OPC", "*OPC?")
    assert wire.read(0.4) is None
    assert wire.read(10) == "1"
    assert int(wire.ask("*ESR?")) & 1


def test_trigger_is_caught_by_a_waiting_script(wire):
    wire.write("print(trigger.wait(10))")
    wire.finish(1.0)
    wire.write("*TRG")
    assert wire.read(0.1) == "true"
    wire.write("print(trigger.wait(0.5))")
    assert wire.read() == "false"


def test_triggers_queue_up_to_fifty(wire):
    for _ in range(60):
        wire.smu.trigger()
    assert wire.value("(function() local n = 0 while trigger.wait(0) do n = n + 1 end return n end)()") == 50
    wire.smu.trigger()
    wire.write("trigger.clear()")
    assert wire.ask("print(trigger.wait(0))") == "false"


# -- scripts ---------------------------------------------------------------------------------------------------------


def test_load_and_run(wire):
    wire.write("loadscript adder", "a = (a or 0) + 1", "for k = 1, 2 do", "  a = a + k", "end", "endscript")
    assert wire.ask("print(a)") == "nil"
    wire.write("adder()", "adder.run()")
    assert wire.value("a") == 8
    assert wire.ask("print(script.user.scripts.adder == adder, adder.name, adder.autorun)") == "true\tadder\tno"


def test_load_and_run_at_once_in_one_write(wire):
    wire.smu.write(b"loadandrunscript\r\nb = 5\r\nprint(b)\r\nendscript\r\n", True)
    assert wire.read() == "5.00000e+00"
    wire.write("b = 6", "run()", "script.run()", "script.anonymous()")
    assert [wire.read() for _ in range(3)] == ["5.00000e+00"] * 3


def test_named_load_and_run_is_autorun(wire):
    wire.write("loadandrunscript twice", "print(2)", "endscript")
    assert wire.read() == "2.00000e+00"
    assert wire.ask("print(twice.autorun, twice.source)") == "yes\tprint(2)"


def test_line_numbers_count_from_the_script_start(wire):
    wire.write("loadandrunscript", "x = 1", "", "nothing()", "endscript")
    assert wire.error() == (-286, "TSP Runtime error at line 3: attempt to call global `nothing' (a nil value)")
    wire.write("loadscript bad", "x = 1", "y = = 2", "endscript")
    assert wire.error() == (-285, "TSP Syntax error at line 2: unexpected symbol near `='")
    assert wire.ask("print(bad)") == "nil"


def test_common_commands_are_not_for_scripts(wire):
    wire.write("loadscript bad", "*RST", "endscript")
    assert wire.errors() == [-285]


def test_abort_ends_loading(wire):
    wire.write("loadscript half", "x = 1", "abort", "print('back')")
    assert wire.read() == "back"
    assert wire.ask("print(half)") == "nil"


def test_script_from_string(wire):
    wire.write("s = script.new('print(7)', 'seven')", "seven()", "s.run()")
    assert [wire.read(), wire.read()] == ["7.00000e+00"] * 2
    wire.write("script.new('x = =', 'broken')", "script.new('x = 1', '1x')", "script.new(5)")
    assert wire.errors() == [-285, -282, -104]
    assert wire.ask("print(broken, script.newautorun('x = 1', 'auto').autorun)") == "nil\tyes"


def test_reuse_of_a_name_orphans_the_old_script(wire):
    wire.write("script.new('print(1)', 'one')", "old = one", "script.new('print(2)', 'one')", "one()", "old()")
    assert [wire.read(), wire.read()] == ["2.00000e+00", "1.00000e+00"]


def test_listing_saving_restoring_deleting(wire):
    wire.write("script.new('x = 1\\ny = 2', 'two')", "two.list()")
    assert [wire.read() for _ in range(4)] == ["loadscript two", "x = 1", "y = 2", "endscript"]
    wire.write("two.save()", "two = nil", "script.restore('two')")
    assert wire.ask("print(two.source)") == "x = 1\ny = 2"
    wire.write("for n in script.user.catalog() do print(n) end")
    assert wire.read() == "two"
    wire.write(
        "script.delete('two')", "script.restore('two')", "x = two.save('/usb1/x.tsp')", "script.load('/usb1/y.tsp')"
    )
    assert wire.errors() == [-292, 2203, 2203]


def test_factory_scripts_are_listed(wire):
    wire.write("for n in script.factory.catalog() do print(n) end")
    assert [wire.read(), wire.read()] == ["KIPulse", "KISweep"]
    assert wire.ask("print(script.factory.scripts.KISweep.name)") == "KISweep"


# -- prompts and shown errors ----------------------------------------------------------------------------------------


def test_prompts(wire):
    wire.write("localnode.prompts = 1")
    assert wire.read() == "TSP>"
    wire.write("nothing()")
    assert wire.read() == "TSP?"
    wire.write("loadscript p", "x = 1", "endscript", "errorqueue.clear()", "localnode.prompts = 0")
    assert [wire.read() for _ in range(4)] == [">>>>", ">>>>", "TSP?", "TSP>"]
    assert wire.read(1.0) is None


def test_shown_errors_leave_the_queue_empty(wire):
    wire.write("localnode.showerrors = 1", "nothing()")
    assert wire.read().split("\t")[0] == "-286"
    assert wire.errors() == []


def test_locking_words_of_a_terminal_program(wire):
    wire.write("password")
    assert wire.ask("print('unlocked')") == "unlocked"
    assert wire.errors() == []
