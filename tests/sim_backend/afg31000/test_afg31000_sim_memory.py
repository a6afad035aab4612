"""Edit memory, files, setups (reference sec. 5, 11)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_backend.afg31000 import tfwx
from sim_backend.scpi.values import arbitrary_block

Rig = Any
MakeRig = Callable[..., Rig]


def upload(rig: Rig, codes: Any, header: bytes = b"DATA:DATA EMEM1,") -> None:
    rig.send(header + arbitrary_block(np.asarray(codes, dtype=">u2").tobytes()))


def download(rig: Rig, memory: str = "EMEM1") -> list[int]:
    rig.send(f"DATA:DATA? {memory}")
    reply = rig.read()
    digits = int(reply[1:2])
    length = int(reply[2 : 2 + digits])
    body = reply[2 + digits :]
    assert len(body) == length
    return np.frombuffer(body, ">u2").tolist()


@pytest.mark.parametrize(
    "header",
    [b"DATA EMEM1,", b"DATA:DATA EMEM1,", b"TRACE:DATA EMEMORY1, ", b"trac EMEM , ", b":DATA EMEMory,"],
)
def test_every_spelling_of_the_upload(rig: Rig, header: bytes) -> None:
    upload(rig, [0, 5000, 14000], header)
    assert rig.errors() == []
    assert download(rig) == [0, 5000, 14000]


def test_the_memories_are_apart_and_any_count_round_trips(rig: Rig) -> None:
    upload(rig, [0, 5000, 14000])
    upload(rig, [0, 1000, 2000, 5000, 10000], b"DATA EMEM2,")
    assert download(rig) == [0, 5000, 14000]
    assert download(rig, "EMEM2") == [0, 1000, 2000, 5000, 10000]


def test_factory_content_is_mid_scale(rig: Rig) -> None:
    assert download(rig) == [8191] * 1000


@pytest.mark.parametrize(
    ("codes", "error"), [([1], -161), (np.zeros(131073), -223)], ids=["one point", "131073 points"]
)
def test_records_that_do_not_fit(rig: Rig, codes: Any, error: int) -> None:
    upload(rig, codes)
    assert rig.errors() == [error]
    assert len(download(rig)) == 1000


@pytest.mark.parametrize(
    ("message", "code"),
    [(b"DATA EMEM1,#13abc", -161), (b"DATA EMEM3,#14abcd", -224), (b"DATA EMEM1,1,2", -108), (b"DATA EMEM1", -109),
     (b"DATA EMEM1,5", -104), (b"DATA? USER1", -224)],
)  # fmt: skip
def test_broken_uploads(rig: Rig, message: bytes, code: int) -> None:
    rig.send(message)
    assert rig.errors() == [code]


@settings(max_examples=30, deadline=None)
@given(
    size=st.integers(2, 5000),
    pieces=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
def test_an_upload_in_pieces_is_one_message(make_rig: MakeRig, size: int, pieces: int, seed: int) -> None:
    rig = make_rig()
    codes = np.random.default_rng(seed).integers(0, 16383, size).astype(">u2")
    message = b"DATA:DATA EMEM1," + arbitrary_block(codes.tobytes()) + b"\n"
    for part in np.array_split(np.frombuffer(message, np.uint8), pieces):
        rig.afg.write(part.tobytes(), False)
    assert rig.errors() == []
    assert download(rig) == codes.tolist()


def test_only_fourteen_bits_count(rig: Rig) -> None:
    upload(rig, [0xC000 | 5, 16382])
    assert download(rig) == [5, 16382]


def test_codes_map_to_levels_and_16383_is_one_step_above_high(make_rig: MakeRig) -> None:
    for full_scale, top in (("extrapolate", 2 + 4 / 16382), ("clip", 2.0)):
        rig = make_rig(full_scale=full_scale)
        rig.send("OUTP:IMP INF;:VOLT:LOW -2;HIGH 2;:FREQ 1E3;:FUNC EMEM;:OUTP ON")
        upload(rig, [0, 8191, 16382, 16383])
        waveform, count, _ = rig.scopes["1"].played[-1]
        assert count == math.inf
        assert waveform.starts == pytest.approx((-2.0, 0.0, 2.0, top)[: len(waveform.starts)])
        assert sum(waveform.durations) == pytest.approx(1e-3)


def test_equal_samples_are_one_segment(rig: Rig) -> None:
    """A set-gap-reset record of 131072 points is five held levels."""
    codes = np.full(131072, 8191)
    codes[10000:20000], codes[90000:100000] = 16382, 0
    rig.send("OUTP:IMP INF;:TRIG:SOUR EXT;:FUNC EMEM")
    upload(rig, codes)
    rig.send("VOLT:LOW -4.2;HIGH 4.2;:FREQ 100;:BURS:NCYC 7;STAT ON;:OUTP ON", "*TRG")
    assert rig.errors() == []
    waveform, count, _ = rig.scopes["1"].played[-1]
    assert count == 7
    assert waveform.starts == waveform.ends == pytest.approx((0.0, 4.2, 0.0, -4.2, 0.0), abs=1e-12)
    sample = 0.01 / 131072
    assert waveform.durations == pytest.approx([n * sample for n in (10000, 10000, 70000, 10000, 31072)])
    assert waveform.after == pytest.approx(0.0, abs=1e-12)


def test_a_record_that_outruns_the_sample_rate_is_thinned(rig: Rig) -> None:
    codes = np.arange(131072) % 16383
    rig.send("FUNC EMEM;:FREQ 10E3;:OUTP ON")
    upload(rig, codes)
    waveform, _, _ = rig.scopes["1"].played[-1]
    assert len(waveform.durations) == 25_000  # 250 MS/s for long records


def test_each_memory_belongs_to_its_channel(rig: Rig) -> None:
    rig.send("SOUR1:FUNC EMEM2;:SOUR2:FUNC EMEM1")
    assert rig.errors() == [-221, -221]
    rig.send("SOUR1:FUNC EMEM;:SOUR2:FUNC EMEM2")
    assert rig.ask("SOUR1:FUNC?;:SOUR2:FUNC?") == "EMEM;EMEM2"


def test_files_round_trip(rig: Rig) -> None:
    codes = [0, 16382, 100, 8191, 3]
    upload(rig, codes)
    rig.send('MMEM:STOR:TRAC EMEM1,"M:/x.tfwx"', 'MMEM:LOAD:TRAC EMEM2,"m:\\X.TFWX"')
    assert rig.errors() == []
    assert download(rig, "EMEM2") == codes
    rig.send('FUNC:EFIL "M:/x.tfwx";:FUNC EFIL')
    assert rig.ask("FUNC?;:FUNC:EFIL?") == 'EFIL;"M:/x.tfwx"'
    assert rig.ask("MMEM:CAT?") == f'522,{134_217_728 - 522},"x.tfwx,,522"'
    rig.send('MMEM:DEL "M:/x.tfwx"')
    assert rig.ask("MMEM:CAT?") == "0,134217728"
    assert rig.errors() == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('MMEM:LOAD:TRAC EMEM1,"M:/none.tfwx"', -256),
        ('FUNC:EFIL "U:/none.tfwx"', -256),
        ("FUNC EFIL", -257),
        ('MMEM:STOR:TRAC EMEM1,"P:/x.tfwx"', -258),
        ('MMEM:STOR:TRAC EMEM1,"Q:/x.tfwx"', -257),
        ('MMEM:STOR:TRAC EMEM1,"M:/nowhere/x.tfwx"', -256),
        ('MMEM:STOR:TRAC EMEM1,"kept.tfwx"', -257),
        ('MMEM:DEL "M:/none"', -256),
        ('MMEM:MDIR "M:/remote"', -257),
        ('MMEM:CDIR "M:/none"', -256),
        ('MMEM:CAT? "M:/none"', -256),
        ('MMEM:DEL "M:/remote"', -256),  # not empty
        ("MMEM:STOR:TRAC EMEM1", -109),
        ('WLIS:WAV:IMP "kept.seq"', -224),
    ],
)
def test_file_errors(rig: Rig, message: str, code: int) -> None:
    rig.send('MMEM:MDIR "M:/remote";:MMEM:STOR:TRAC EMEM1,"kept.tfwx";:MMEM:STOR:TRAC EMEM1,"M:/remote/x.tfwx"')
    rig.send('MMEM:SAVE:SEQ "kept.seq"')
    assert rig.errors() == []
    rig.ask(message)
    assert rig.errors() == [code]


def test_directories(rig: Rig) -> None:
    rig.send('MMEM:MDIR "remote";:MMEM:CDIR "remote";:MMEM:STOR:TRAC EMEM1,"x.tfwx"')
    assert rig.ask("MMEM:CDIR?") == '"M:/remote/"'
    assert '"x.tfwx,,2512"' in rig.ask("MMEM:CAT?")
    assert '"remote,DIR,0"' in rig.ask('MMEM:CAT? "M:/"')
    rig.send('MMEM:DEL "x.tfwx";:MMEM:CDIR;:MMEM:DEL "remote"')
    assert rig.ask('MMEM:CDIR?;:MMEM:CAT? "M:/"') == '"M:/";0,134217728'
    assert rig.errors() == []


def test_files_can_be_overwritten_if_the_option_says_so(make_rig: MakeRig) -> None:
    rig = make_rig(overwrite_files=True)
    rig.send('MMEM:STOR:TRAC EMEM1,"x.tfwx";:MMEM:STOR:TRAC EMEM1,"x.tfwx"')
    assert rig.errors() == []


def test_a_file_in_chunks_needs_its_firmware(make_rig: MakeRig) -> None:
    content = tfwx.encode(np.array([0, 16382, 8191], dtype=np.uint16), 2.0, 0.5)
    for firmware, codes in (("1.5.2", [-113, -113, -256]), ("1.6.5", []), ("1.10.0", [])):
        rig = make_rig(firmware=firmware)
        for part in (content[:300], content[300:]):
            rig.send(b'DATA:FILE "M:/up.tfwx",' + str(len(content)).encode() + b"," + arbitrary_block(part))
        rig.send('MMEM:LOAD:TRAC EMEM1,"M:/up.tfwx"')
        assert rig.errors() == codes
        if not codes:
            assert download(rig) == [0, 16382, 8191]


@given(
    codes=st.lists(st.integers(0, 16382), min_size=2, max_size=600),
    amplitude=st.floats(1e-3, 20),
    offset=st.floats(-5, 5),
)
def test_tfwx_round_trip(codes: list[int], amplitude: float, offset: float) -> None:
    file = tfwx.decode(tfwx.encode(np.array(codes, dtype=np.uint16), amplitude, offset))
    assert file.codes.tolist() == codes
    assert (file.amplitude, file.offset) == (amplitude, offset)


@pytest.mark.parametrize("data", [b"", b"x" * 600, tfwx.encode(np.array([1, 2], np.uint16), 1, 0)[:-2]])
def test_what_is_no_tfwx(data: bytes) -> None:
    with pytest.raises(ValueError, match="tfwx"):
        tfwx.decode(data)


def test_legacy_commands_behind_their_option(make_rig: MakeRig) -> None:
    rig = make_rig(legacy_data=True)
    rig.send("DATA:DEF EMEM,500")
    assert rig.ask("DATA:POIN? EMEM;POIN? EMEM,MAX") == "500;131072"
    upload(rig, [1, 2, 3], b"DATA EMEM,")
    rig.send("DATA:COPY USER1,EMEMory", "DATA:VAL EMEM,2,77", "DATA:POIN EMEM,4")
    assert download(rig, "EMEM") == [1, 77, 3, 8191]
    assert rig.ask("DATA:POIN? USER1;CAT?;VAL? EMEM,2") == '3;"EMEM","EMEM2","USER";77'
    rig.send("DATA:DEL USER1")
    assert rig.errors() == []
    rig.send("DATA:COPY EMEM,USER1;:DATA:DEL EMEM;:DATA:POIN EMEM,1;:DATA:VAL EMEM,9,1;:DATA:VAL? EMEM,0;:DATA:DEF")
    assert rig.errors() == [-224, -224, -222, -222, -222, -109]


def test_setups(rig: Rig) -> None:
    rig.send("FREQ 2E3;:VOLT:HIGH 3;:TRIG:SOUR EXT", "*SAV 1", "*RST")
    assert rig.ask("MEM:STAT:VAL? 1;VAL? 2") == "1;0"
    rig.send("*RCL 1")
    assert rig.ask("FREQ?;:VOLT:HIGH?;:TRIG:SOUR?") == "2.000E3;3.000E0;EXT"
    rig.send("MEM:STAT:LOCK 1,ON")
    assert rig.ask("MEM:STAT:LOCK? 1") == "1"
    rig.send("*SAV 1", "MEM:STAT:DEL 1", "*RCL 2", "*SAV 5", "MEM:STAT:LOCK 0,ON")
    assert rig.errors() == [-221, -221, -224, -222, -222]
    rig.send("MEM:STAT:LOCK 1,OFF", "MEM:STAT:DEL 1", "*RCL 1")
    assert rig.errors() == [-224]


def test_recall_and_the_output(make_rig: MakeRig) -> None:
    for restores, emf in ((True, 2.0), (False, None)):
        rig = make_rig(recall_output=restores)
        rig.send("FUNC DC;:VOLT:OFFS 1;:OUTP ON", "*SAV 2", "*RST")
        assert rig.emf() is None
        rig.send("*RCL 2")
        assert rig.emf() == emf
        assert rig.ask("OUTP?") == str(int(restores))


def test_restart_comes_back_with_defaults_or_with_the_last_setup(make_rig: MakeRig) -> None:
    rig = make_rig(restart_time=30.0)
    for recalls, frequency in ((0, "1.000E6"), (1, "2.000E3")):
        rig.send(f"FREQ 2E3;:OUTP ON;:MEM:STAT:REC:AUTO {recalls}", "SYST:REST")
        assert rig.emf() is None or recalls
        rig.send("FREQ?")
        assert not rig.afg.pending()
        rig.clock.sleep(31)
        assert rig.read() == frequency.encode()


def test_security_erases_everything(rig: Rig) -> None:
    upload(rig, [1, 2])
    rig.send("*SAV 1", 'MMEM:STOR:TRAC EMEM1,"x.tfwx"', "FREQ 2E3", "SYST:SEC:IMM")
    assert rig.ask("FREQ?;:MEM:STAT:VAL? 1;:MMEM:CAT?") == "1.000E6;0;0,134217728"
    assert download(rig) == [8191] * 1000


def test_reset_keeps_the_edit_memory_or_clears_it(make_rig: MakeRig) -> None:
    for clears, points in ((False, 2), (True, 1000)):
        rig = make_rig(reset_clears_memory=clears)
        upload(rig, [1, 2])
        rig.send("*RST")
        assert len(download(rig)) == points
