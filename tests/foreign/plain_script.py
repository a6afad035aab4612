"""Pulse the neuron and read it: PyVISA and the two manuals, nothing else.

python plain_script.py [VISA LIBRARY]
"""

import json
import sys
import time

import pyvisa

rm = pyvisa.ResourceManager(sys.argv[1] if len(sys.argv) > 1 else "")
afg = rm.open_resource("USB0::0x0699::0x0358::C013019::INSTR")
smu = rm.open_resource("TCPIP0::192.168.1.26::5025::SOCKET", read_termination="\n", write_termination="\n")
smu.timeout = 10000

for instrument in (afg, smu):
    print(json.dumps({"identity": instrument.query("*IDN?").strip()}))


def pulse(volts):
    """One 100 us pulse; the relay is on the SMU while the levels change."""
    if volts > 0:
        afg.write(f"OUTP1:POL NORM;:SOUR1:VOLT:LOW 0;HIGH {volts}")
    else:
        afg.write(f"OUTP1:POL INV;:SOUR1:VOLT:HIGH 0;LOW {volts}")
    smu.write("digio.writebit(1, 1)")
    time.sleep(0.02)
    afg.write("*TRG")
    time.sleep(0.02)
    smu.write("digio.writebit(1, 0)")
    time.sleep(0.02)


def read():
    volts, amps = [], []
    for k in range(-5, 6):
        smu.write(f"smua.source.levelv = {k / 50}")
        i, v = smu.query("print(smua.measure.iv())").split("\t")
        volts.append(float(v))
        amps.append(float(i))
    smu.write("smua.source.levelv = 0")
    return {"volts": volts, "amps": amps}


smu.write("reset()")
smu.write("smua.source.func = smua.OUTPUT_DCVOLTS")
smu.write("smua.source.limiti = 100e-6")
smu.write("smua.measure.rangei = 10e-6")
smu.write("smua.measure.nplc = 1")
smu.write("smua.source.output = smua.OUTPUT_ON")

afg.write("*RST")
time.sleep(0.5)
afg.write("OUTP1:IMP INF")
afg.write("SOUR1:FUNC PULS")
afg.write("SOUR1:PULS:PER 1e-3")
afg.write("SOUR1:PULS:WIDT 100e-6")
afg.write("TRIG:SOUR EXT")
afg.write("SOUR1:BURS:MODE TRIG;NCYC 1;IDLE START")
afg.write("SOUR1:BURS:STAT ON")
afg.write("SOUR1:VOLT:LOW 0;HIGH 1")
afg.write("OUTP1 ON")
time.sleep(1)

for level in (None, 5.2, -4.6, 5.2, -4.6):
    if level is not None:
        pulse(level)
    print(json.dumps({"after": level, **read()}))

afg.write("OUTP1 OFF")
smu.write("smua.source.output = 0")
print(json.dumps({"afg": afg.query("SYST:ERR?").strip(), "smu": smu.query("print(errorqueue.count)")}))
