"""Advanced mode: table, waits, jumps, gotos, run modes (reference sec. 12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim_backend.scpi.values import arbitrary_block

Rig = Any
MakeRig = Callable[..., Rig]

LEVELS = {"zero": [8191] * 4, "top": [16382] * 4, "low": [0] * 4, "step": [0, 0, 16382, 16382], "long": [16382] * 8}
"""Waveforms by name; at 1 kS/s four points last 4 ms, and the file's amplitude is 2 Vpp open circuit."""


@pytest.fixture
def seq(make_rig: MakeRig) -> Rig:
    return prepare(make_rig(sequence_load_time=0.0))


def prepare(rig: Rig) -> Rig:
    """Waveforms in files, sequence mode with both outputs on; the table is still empty."""
    rig.send("OUTP1:IMP INF;:OUTP2:IMP INF;:SOUR1:VOLT:LOW -1;HIGH 1")
    for name, codes in LEVELS.items():
        rig.send(b"DATA EMEM1," + arbitrary_block(np.array(codes, ">u2").tobytes()))
        rig.send(f'MMEM:STOR:TRAC EMEM1,"M:/{name}.tfwx"')
    rig.send("SEQC:RMOD SEQ", *(f'WLIS:WAV:IMP "M:/{name}.tfwx"' for name in LEVELS))
    rig.send("SEQC:SRAT 1E3;STAT 1;:OUTP1 ON;:OUTP2 ON")
    assert rig.errors() == []
    return rig


def table(rig: Rig, *elements: str) -> None:
    rig.send(f"SEQ:LENG {len(elements)}")
    for k, name in enumerate(elements, start=1):
        rig.send(f'SEQ:ELEM{k}:WAV1 "M:/{name}.tfwx"')
    assert rig.errors() == []


def run(rig: Rig) -> None:
    rig.send("SEQC:RUN")
    assert rig.errors() == []
    rig.clock.sleep(0.0)
    assert rig.ask("SEQC:RSTAT?") == "1"


def levels(rig: Rig, *times: float) -> list[float]:
    begin = rig.clock.now
    return [round(rig.emf_at(begin + t * 1e-3), 3) for t in times]


def test_a_plain_sequence_repeats_as_one_waveform(seq: Rig) -> None:
    table(seq, "zero", "top", "low")
    seq.send("SEQ:ELEM2:LOOP:COUN 2")
    before = len(seq.scopes["1"].played)
    run(seq)
    assert levels(seq, 1, 5, 9, 13, 17, 21, 30) == [0.0, 1.0, 1.0, -1.0, 0.0, 1.0, -1.0]
    assert len(seq.scopes["1"].played) == before + 1


def test_the_sequence_can_end(make_rig: MakeRig) -> None:
    rig = prepare(make_rig(sequence_load_time=0.0, sequence_end="stop"))
    table(rig, "zero", "step")
    run(rig)
    assert levels(rig, 1, 5, 7, 9, 100) == [0.0, -1.0, 1.0, -1.0, -1.0]
    assert rig.ask("SEQC:RSTAT?") == "0"


def test_goto_makes_loops(seq: Rig) -> None:
    table(seq, "zero", "top", "low")
    seq.send("SEQ:ELEM3:GOTO:STAT ON;:SEQ:ELEM3:GOTO:IND 2")
    run(seq)
    assert levels(seq, 1, 5, 9, 13, 17) == [0.0, 1.0, -1.0, 1.0, -1.0]


@pytest.mark.parametrize(
    ("event", "fires", "not_this"),
    [
        ("BUS", lambda rig: rig.send("*TRG"), lambda rig: rig.lines.pulse("afg.trigger")),
        ("MAN", lambda rig: rig.send("*TRG"), lambda rig: rig.lines.pulse("afg.trigger")),
        ("EXT", lambda rig: rig.lines.pulse("afg.trigger"), lambda rig: rig.afg.trigger()),
    ],
)
def test_an_element_waits_for_its_event(seq: Rig, event: str, fires: Any, not_this: Any) -> None:
    table(seq, "step", "low")
    seq.send(f"SEQ:ELEM2:TWA:STAT ON;EVEN {event}")
    run(seq)
    assert levels(seq, 3, 50) == [1.0, 1.0]
    not_this(seq)
    seq.errors()
    assert levels(seq, 1) == [1.0]
    fires(seq)
    assert levels(seq, 1, 5, 7) == [-1.0, -1.0, 1.0]
    assert seq.errors() == []


def test_an_external_wait_has_a_slope(seq: Rig) -> None:
    table(seq, "step", "low")
    seq.send("SEQ:ELEM2:TWA ON;TWA:EVEN EXT;SLOP NEG")
    assert seq.ask("SEQ:ELEM2:TWA:STAT?;EVEN?;SLOP?") == "1;EXT;NEG"
    run(seq)
    seq.clock.sleep(0.01)
    seq.lines.set("afg.trigger", True)
    assert levels(seq, 1) == [1.0]
    seq.lines.set("afg.trigger", False)
    assert levels(seq, 1) == [-1.0]


def test_a_timer_wait(seq: Rig) -> None:
    table(seq, "step", "low")
    seq.send("SEQ:ELEM2:TWA:STAT ON;EVEN TIM;:SEQC:TIM 20 ms")
    run(seq)
    assert levels(seq, 3, 19.5, 20.5, 23.5, 27) == [1.0, 1.0, -1.0, -1.0, 1.0]


def test_an_infinite_element_is_left_by_a_jump(seq: Rig) -> None:
    table(seq, "zero", "top", "low")
    seq.send("SEQ:ELEM1:LOOP:INF ON;:SEQ:ELEM1:JTAR:TYPE IND;:SEQ:ELEM1:JTAR:IND 3;:SEQ:ELEM1:JUMP:EVEN BUS")
    run(seq)
    assert levels(seq, 1, 1000.5) == [0.0, 0.0]
    seq.send("*TRG")
    assert levels(seq, 1, 5) == [-1.0, 0.0]
    seq.send("SEQ:ELEM1:JTAR:TYPE NEXT", "*TRG")
    assert levels(seq, 1) == [1.0]
    assert seq.errors() == []


def test_both_channels_share_the_sequence(seq: Rig) -> None:
    table(seq, "zero", "top")
    seq.send('SEQ:ELEM1:WAV2 "M:/low.tfwx";:SEQ:ELEM2:WAV2 "M:/step.tfwx"')
    run(seq)
    begin = seq.clock.now
    seen = [(seq.emf_at(begin + t * 1e-3), seq.emf(2)) for t in (1, 5, 7)]
    assert np.round(seen, 3).tolist() == [[0.0, -1.0], [1.0, -1.0], [1.0, 1.0]]


def test_skew_holds_one_channel_back(seq: Rig) -> None:
    table(seq, "top")
    seq.send('SEQ:ELEM1:WAV2 "M:/step.tfwx";:SEQ:ELEM1:WAV1 "M:/step.tfwx"')
    for skew, starts in (("300 ns", (0.0, 300e-9)), ("-300 ns", (300e-9, 0.0))):
        seq.send(f"SEQC:STOP;DEL {skew}")
        run(seq)
        now = seq.clock.now
        assert [seq.scopes[c].played[-1][2] - now for c in "12"] == pytest.approx(starts, abs=1e-12)


def test_scale_offset_and_load(seq: Rig) -> None:
    table(seq, "step")
    seq.send("SEQC:SOUR1:SCAL 150;OFFS 0.5")
    run(seq)
    assert seq.scopes["1"].played[-1][0].extremes == pytest.approx((-1.0, 2.0), abs=1e-3)
    seq.send("SEQC:STOP;:OUTP1:IMP 50")
    run(seq)
    assert seq.scopes["1"].played[-1][0].extremes == pytest.approx((-2.0, 4.0), abs=1e-3)


@pytest.mark.parametrize("mode", ["CONT", "TRIG", "GAT"])
def test_other_run_modes_play_element_one(make_rig: MakeRig, mode: str) -> None:
    rig = prepare(make_rig(sequence_load_time=0.0))
    rig.send("SEQC:STAT 0", f"SEQC:RMOD {mode}", 'WLIS:WAV:IMP "M:/step.tfwx";:SEQC:STAT 1')
    table(rig, "step")
    run(rig)
    assert levels(rig, 1, 3) == ([-1.0, 1.0] if mode == "CONT" else [-1.0, -1.0])
    if mode == "TRIG":
        rig.send("*TRG")
        assert levels(rig, 1, 3, 5, 7) == [-1.0, 1.0, -1.0, -1.0]
        rig.lines.pulse("afg.trigger")
        assert levels(rig, 3) == [1.0]
    if mode == "GAT":
        rig.lines.set("afg.trigger", True)
        assert levels(rig, 3, 7) == [1.0, 1.0]
        rig.lines.set("afg.trigger", False)
        assert levels(rig, 3) == [-1.0]


def test_stop_holds_and_basic_mode_comes_back(seq: Rig) -> None:
    table(seq, "step")
    run(seq)
    assert levels(seq, 3) == [1.0]
    seq.send("SEQC:STOP")
    assert seq.ask("SEQC:RSTAT?") == "0"
    assert levels(seq, 3) == [-1.0]
    seq.send("SOUR1:FUNC DC;:SOUR1:VOLT:OFFS 0.25")
    assert levels(seq, 1) == [-1.0]  # Basic-mode settings wait for Basic mode
    seq.send("SEQC:STAT 0")
    assert levels(seq, 1) == [0.25]
    assert seq.errors() == []


def test_run_mode_empties_list_and_table(seq: Rig) -> None:
    table(seq, "step")
    assert seq.ask("WLIS:SIZE?;:SEQ:LENG?") == "5;1.000E0"
    seq.send("SEQC:RMOD TRIG")
    assert seq.ask("WLIS:SIZE?;:SEQ:LENG?") == "0;0.000E0"


def test_the_waveform_list(seq: Rig) -> None:
    assert seq.ask('WLIS:NAME? 2;:WLIS:WAV:LENG? "M:/long.tfwx"') == '"M:/top.tfwx";8'
    seq.send('WLIS:WAV:DEL "M:/top.tfwx"')
    assert seq.ask("WLIS:SIZE?") == "4"
    seq.send("WLIS:WAV:DEL ALL")
    assert seq.ask("WLIS:SIZE?") == "0"
    seq.send('WLIS:WAV:DEL "M:/top.tfwx";:WLIS:NAME? 1;:WLIS:WAV:IMP "M:/none.tfwx"')
    assert seq.errors() == [-256, -222, -256]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("SEQC:RUN", -221),  # nothing in the table
        ("SEQ:LENG 1;:SEQC:RUN", -221),  # no waveform
        ('SEQ:LENG 1;:SEQ:ELEM1:WAV1 "M:/none.tfwx"', -256),
        ('SEQ:ELEM1:WAV1 "M:/top.tfwx"', -222),  # beyond the length
        ('SEQ:LENG 1;:SEQ:ELEM1:WAV1 "M:/top.tfwx";WAV2 "M:/long.tfwx"', -221),
        ('SEQ:LENG 1;:SEQ:ELEM1:WAV1 "M:/top.tfwx";GOTO:STAT 1;IND 2;:SEQC:RUN', -221),
        ('SEQ:LENG 1;:SEQ:ELEM1:WAV1 "M:/top.tfwx";:SEQC:STAT 0;RUN', -221),
        ("SEQ:ELEM1:LOOP:COUN?", -222),
    ],
)
def test_what_cannot_run(seq: Rig, message: str, code: int) -> None:
    seq.ask(message)
    assert seq.errors() == [code]
    assert seq.ask("SEQC:RSTAT?") == "0"


def test_shortening_loses_the_tail_for_good(seq: Rig) -> None:
    table(seq, "top", "low")
    seq.send("SEQ:LENG 1;LENG 2")
    assert seq.ask("SEQ:ELEM1:WAV1?;:SEQ:ELEM2:WAV1?") == '"M:/top.tfwx";""'
    seq.send("SEQ:NEW")
    assert seq.number("SEQ:LENG?") == 0


def test_sequences_are_kept_in_files(seq: Rig) -> None:
    table(seq, "top", "low")
    seq.send("SEQ:ELEM2:LOOP:COUN 7;:SEQ:ELEM2:MARK:STAT 1", 'MMEM:SAVE:SEQ "M:/s.seq"', "SEQ:NEW")
    seq.send('MMEM:OPEN:SEQ "M:/s.seq"')
    assert seq.ask("SEQ:ELEM2:WAV1?;LOOP:COUN?;:SEQ:ELEM2:MARK:STAT?") == '"M:/low.tfwx";7.000E0;1'
    seq.send('MMEM:OPEN:SEQ "M:/top.tfwx"')
    assert seq.errors() == [-224]


def test_reset_leaves_advanced_mode(seq: Rig) -> None:
    table(seq, "top")
    run(seq)
    seq.send("*RST")
    assert seq.ask("SEQC:STAT?;RSTAT?;:SEQ:LENG?;:WLIS:SIZE?") == "0;0;0.000E0;0"


@pytest.mark.parametrize(
    ("model", "rate"), [("AFG31021", 250e6), ("AFG31052", 500e6), ("AFG31102", 1e9), ("AFG31252", 2e9)]
)
def test_the_sequence_rate_trap(make_rig: MakeRig, model: str, rate: float) -> None:
    rig = make_rig(model)
    assert rig.number("SEQC:SRAT? MAX") == rate
    rig.send(f"SEQC:SRAT {rate * 1.01}")
    assert rig.errors() == [-222]


def test_waveform_memory_is_bounded(make_rig: MakeRig) -> None:
    for licences, errors in (((), [-223]), (("MEM",), [])):
        rig = make_rig(licences=licences)
        for k in range(129):  # 129 x 131072 points > 16 Mi
            codes = np.zeros(131072, ">u2") if k == 0 else None
            if codes is not None:
                rig.send(b"DATA EMEM1," + arbitrary_block(codes.tobytes()))
                rig.send('MMEM:STOR:TRAC EMEM1,"M:/w.tfwx"')
                file = rig.afg.memories.waveform_file("M:/w.tfwx")
            rig.afg.sequencer.table.waveforms[f"{k}"] = file
        rig.send('WLIS:WAV:IMP "M:/w.tfwx"')
        assert rig.errors() == errors
        assert rig.ask("LIC:LIST?") == ('"MEM"' if licences else '""')
