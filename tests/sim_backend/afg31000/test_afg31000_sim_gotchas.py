"""Status, timing and the gotchas of the reference, sec. 13 to 16, that a simulated instrument can show."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

Rig = Any
MakeRig = Callable[..., Rig]


def test_error_queue_holds_64_and_ends_in_overflow(rig: Rig) -> None:
    for _ in range(70):
        rig.send("FOO")
    codes = rig.errors()
    assert len(codes) == 64
    assert codes[-1] == -350
    assert set(codes[:-1]) == {-113}


def test_esr_and_queue_are_apart_and_cls_clears_both(rig: Rig) -> None:
    rig.send("FOO", "TRIG:TIM 0")
    assert rig.ask("*ESR?") == str(32 | 16)
    assert rig.ask("*ESR?") == "0"
    assert rig.errors() == [-113, -222]
    rig.send("FOO", "*ESE 32", "*CLS")
    assert rig.ask("*ESR?;:SYST:ERR?;*ESE?") == '0;0,"No error";32'


def test_reset_keeps_queue_and_masks(rig: Rig) -> None:
    rig.send("FOO", "*ESE 60;*SRE 32;:STAT:OPER:ENAB 8", "*RST")
    assert rig.ask("*ESE?;*SRE?;:STAT:OPER:ENAB?") == "60;32;8"
    assert rig.errors() == [-113]
    rig.send("STAT:PRES")
    assert rig.ask("STAT:OPER:ENAB?") == "0"


@pytest.mark.parametrize("message", ["*ESE 256", "*SRE -1", "STAT:QUES:ENAB 32768"])
def test_masks_are_bounded(rig: Rig, message: str) -> None:
    rig.send(message)
    assert rig.errors() == [-222]


def test_status_byte_and_service_request(rig: Rig) -> None:
    assert rig.afg.status_byte() == 0
    rig.send("*ESE 32;*SRE 32", "FOO")
    assert rig.afg.status_byte() == 4 | 32 | 64
    rig.send("*CLS")
    assert rig.afg.status_byte() == 0
    rig.send("*IDN?")
    assert rig.afg.status_byte() == 16


def test_query_errors(rig: Rig) -> None:
    rig.send("*IDN?", "FREQ?")
    assert rig.read() == b"1.000E6"
    assert rig.errors() == [-410]
    assert rig.read() == b""
    assert rig.errors() == [-420]
    assert rig.ask("*ESR?") == "4"


def test_replies_can_be_kept(make_rig: MakeRig) -> None:
    rig = make_rig(unread_reply="keep")
    rig.send("*OPC?", "FREQ?")
    assert [rig.read(), rig.read()] == [b"1", b"1.000E6"]
    assert rig.errors() == []


def test_device_clear_drops_messages_and_keeps_settings(rig: Rig) -> None:
    rig.send("FREQ 2E3", "*IDN?")
    rig.afg.write(b"FREQ 3E3", False)
    rig.afg.clear()
    assert not rig.afg.pending()
    assert rig.number("FREQ?") == 2e3


def test_error_texts_hold_one_comma(make_rig: MakeRig) -> None:
    """tektronixsg splits the reply on it."""
    rig = make_rig(error_detail=True)
    rig.send("FOO:BAR", 'MMEM:LOAD:TRAC EMEM1,"M:/a,b""c.tfwx"', "FREQ 1E9")
    for _ in range(3):
        entry = rig.ask("SYST:ERR?")
        assert entry.count(",") == 1
        assert ";" in entry
        assert entry.count('"') == 2


# -- gotchas by their number in section 16 ---------------------------------------------------------------------


def test_1_the_load_setting_doubles_or_halves(rig: Rig) -> None:
    rig.send("FUNC DC;:VOLT:OFFS 1;:OUTP ON")
    assert rig.emf() == 2.0
    rig.send("OUTP:IMP INF;:VOLT:OFFS 1")
    assert rig.emf() == 1.0


def test_2_phase_without_a_unit_is_radians(rig: Rig) -> None:
    rig.send("PHAS 90")
    assert rig.errors() == [-222]
    rig.send("PHAS 90DEG")
    assert rig.number("PHAS?") == pytest.approx(math.pi / 2)


def test_3_burst_survives_frequency_and_function(rig: Rig) -> None:
    rig.send("TRIG:SOUR EXT;:BURS ON", "FREQ 1E3;:FUNC SQU;:FREQ 2E3;:OUTP ON")
    assert rig.ask("RMOD?") == "BURS"
    rig.clock.sleep(1.0)
    assert rig.scopes["1"].played == []


def test_5_the_external_input_can_be_deaf_until_toggled(make_rig: MakeRig) -> None:
    rig = make_rig(external_needs_toggle=True)
    rig.pulse_burst()
    rig.lines.pulse("afg.trigger")
    assert rig.scopes["1"].played == []
    rig.send("TRIG:SOUR TIM;:TRIG:SOUR EXT")
    before = len(rig.scopes["1"].played)
    rig.clock.sleep(1.0)
    rig.lines.pulse("afg.trigger")
    assert len(rig.scopes["1"].played) == before + 1


def test_6_width_before_period_is_refused_or_rescaled(rig: Rig) -> None:
    rig.send("FUNC PULS;:PULS:WIDT 100 us")
    assert rig.errors() == [-221]  # the period is still 1 us
    rig.send("PULS:PER 1 ms")
    assert rig.number("PULS:WIDT?") == pytest.approx(500e-6)


def test_7_opc_does_not_wait_for_the_relay(make_rig: MakeRig) -> None:
    rig = make_rig(output_on_time=0.02)
    rig.send("TRIG:SOUR EXT;:FUNC PULS;:PULS:PER 1 ms;:VOLT:LOW 0;HIGH 1;:BURS:STAT ON;NCYC 1;:OUTP ON")
    assert rig.ask("*OPC?") == "1"
    rig.send("*TRG")
    rig.clock.sleep(1.0)
    assert rig.scopes["1"].played == []  # the burst was over before the relay had closed
    assert rig.emf() == 0.0
    rig.send("OUTP OFF;:OUTP ON;:OUTP OFF")
    rig.clock.sleep(1.0)
    assert rig.emf() is None


def test_8_commands_take_time(make_rig: MakeRig) -> None:
    rig = make_rig(command_time=0.1)
    rig.send("FREQ 2E3")
    rig.send("FREQ?")
    assert not rig.afg.pending()
    rig.clock.sleep(0.11)
    assert rig.read() == b"2.000E3"


def test_reset_takes_time_and_opc_waits_for_it(make_rig: MakeRig) -> None:
    rig = make_rig(reset_time=0.4)
    rig.send("FREQ 2E3;*RST", "*OPC?")
    assert rig.clock.wait_for(rig.afg.pending, 10.0)
    assert rig.clock.now == pytest.approx(0.4)
    assert rig.read() == b"1"
    assert rig.number("FREQ?") == 1e6


def test_self_test_takes_its_time(rig: Rig) -> None:
    rig.send("*TST?")
    assert rig.clock.wait_for(rig.afg.pending, 10.0)
    assert rig.clock.now == pytest.approx(3.0)
    assert rig.read() == b"0"
    rig.send("CAL:ALL", "FREQ 5E3")
    assert rig.afg.channel(1).frequency == 1e6
    rig.clock.sleep(3.1)
    assert rig.afg.channel(1).frequency == 5e3


def test_9_events_in_the_queue(make_rig: MakeRig) -> None:
    rig = make_rig(power_on_event=True, complete_event=True)
    assert rig.ask("*ESR?") == "128"
    rig.send("*OPC")
    assert rig.errors() == [-500, -800]
    quiet = make_rig()
    quiet.send("*OPC")
    assert quiet.ask("*ESR?") == "1"
    assert quiet.errors() == []


def test_10_counts_and_infinity_are_floats(rig: Rig) -> None:
    assert rig.ask("BURS:NCYC?;:OUTP:IMP?") == "5.000E0;5.000E1"
    assert float(rig.ask("OUTP:IMP INF;IMP?")) > 1e30


def test_11_channel_two_goes_deaf_after_a_second_run(make_rig: MakeRig) -> None:
    rig = make_rig(second_run="ch2_deaf", sequence_load_time=0.0)
    rig.send('MMEM:STOR:TRAC EMEM1,"a.tfwx";:SEQC:RMOD TRIG;:SEQ:LENG 1;:WLIS:WAV:IMP "a.tfwx"')
    rig.send('SEQ:ELEM1:WAV1 "a.tfwx";WAV2 "a.tfwx";:SEQC:SRAT 1E6;STAT 1;:OUTP1 ON;:OUTP2 ON')

    def heard() -> tuple[bool, bool]:
        before = [len(rig.scopes[c].played) for c in "12"]
        held = [rig.scopes[c].level for c in "12"]
        rig.send("*TRG")
        rig.clock.sleep(0.1)
        after = [len(rig.scopes[c].played) for c in "12"]
        assert held == [rig.scopes[c].level for c in "12"]
        return after[0] > before[0], after[1] > before[1]

    rig.send('MMEM:LOAD:TRAC EMEM1,"a.tfwx"')
    upload = b"DATA EMEM1,#18" + bytes([0, 0, 63, 254, 63, 254, 0, 0])
    rig.send(upload, 'MMEM:STOR:TRAC EMEM1,"b.tfwx";:WLIS:WAV:IMP "b.tfwx";:SEQC:STOP')
    rig.send('SEQ:LENG 0;LENG 1;:SEQ:ELEM1:WAV1 "b.tfwx";WAV2 "b.tfwx";:SEQC:RUN')
    rig.clock.sleep(0.1)
    assert heard() == (True, True)
    rig.send("SEQC:STOP;RUN")
    rig.clock.sleep(0.1)
    assert heard() == (True, False)
    rig.send("SEQC:STAT 0;STAT 1;RUN")
    rig.clock.sleep(0.1)
    assert heard() == (True, True)
    assert rig.errors() == []


def test_12_the_basic_signal_is_there_until_the_sequence_runs(rig: Rig) -> None:
    rig.send('MMEM:STOR:TRAC EMEM1,"a.tfwx";:SEQC:RMOD CONT;:SEQ:LENG 1;:WLIS:WAV:IMP "a.tfwx"')
    rig.send('SEQ:ELEM1:WAV1 "a.tfwx";:FUNC DC;:VOLT:OFFS 1;:SEQC:STAT 1;:OUTP ON')
    assert rig.emf() == 2.0
    rig.send("SEQC:RUN")
    rig.clock.sleep(3.0)
    assert rig.emf() == 2.0
    rig.clock.sleep(1.0)
    assert rig.emf() == pytest.approx(0.0, abs=1e-3)


def test_13_basic_amplitude_locks_the_advanced_one(make_rig: MakeRig) -> None:
    for locks, top in ((True, 0.2), (False, 1.0)):
        rig = make_rig(amplitude_lock=locks, sequence_load_time=0.0)
        rig.send(b"DATA EMEM1,#14" + bytes([0, 0, 63, 254]), "OUTP1:IMP INF;:VOLT:LOW -1;HIGH 1")
        rig.send('MMEM:STOR:TRAC EMEM1,"a.tfwx";:SEQC:RMOD CONT;:SEQ:LENG 1;:WLIS:WAV:IMP "a.tfwx"')
        rig.send('SEQ:ELEM1:WAV1 "a.tfwx";:VOLT 0.4;:OUTP1 ON;:SEQC:STAT 1;RUN')
        rig.clock.sleep(0.1)
        assert rig.errors() == []
        assert rig.scopes["1"].played[-1][0].extremes == pytest.approx((-top, top), abs=1e-3)


def test_14_a_sequence_takes_seconds_to_load(rig: Rig) -> None:
    rig.send('MMEM:STOR:TRAC EMEM1,"a.tfwx";:SEQC:RMOD SEQ;:SEQ:LENG 1;:WLIS:WAV:IMP "a.tfwx"')
    rig.send('SEQ:ELEM1:WAV1 "a.tfwx";:SEQC:STAT 1;RUN', "*OPC?")
    assert rig.clock.wait_for(rig.afg.pending, 60.0)
    assert rig.clock.now > 3.0
    assert rig.read() == b"1"
    assert rig.ask("SEQC:RSTAT?") == "1"


def test_18_key_lock_is_only_a_flag(rig: Rig) -> None:
    rig.send("SYST:KLOC ON", "FREQ 2E3")
    assert rig.ask("SYST:KLOC?;:FREQ?") == "1;2.000E3"


def test_20_invented_commands_do_not_exist(rig: Rig) -> None:
    rig.send("BURS:PHAS 1", "FUNC:SQU:DCYC 5", "OUTP:TRIG:POL POS", "BURS:IDLE FPT", "BURS:IDLE TOP")
    assert rig.errors() == [-113, -113, -113, -224, -224]


def test_passwords_are_checked(rig: Rig) -> None:
    rig.send('SYST:PASS:NEW "","secret"', 'SYST:PASS "wrong"')
    assert rig.errors() == [-221]
    rig.send('SYST:PASS:CEN "secret"')
    assert rig.ask("SYST:PASS:STAT?") == "1"
    rig.send('SYST:PASS:CDIS "secret"')
    assert rig.ask("SYST:PASS:STAT?") == "0"
    assert rig.errors() == []


def test_invalid_abbreviations_are_rejected(rig: Rig) -> None:
    """MATLAB users send these (sec. 15)."""
    rig.send("BURS:MODE TRI", "VOLT:LEV:IMM:AMP 1")
    assert rig.errors() == [-224, -113]


def test_the_same_bytes_give_the_same_output(make_rig: MakeRig) -> None:
    logs = []
    for _ in range(2):
        rig = make_rig()
        rig.pulse_burst(cycles=2)
        rig.send("*TRG")
        rig.clock.sleep(1.0)
        rig.send("SOUR1:FUNC PRN;:OUTP2 ON")
        logs.append([(s.played, s.level) for s in rig.scopes.values()])
    assert logs[0] == logs[1]
