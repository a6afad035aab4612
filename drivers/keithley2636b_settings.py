"""Settings of one channel of a 2636B, one by one, and its limits (reference keithley2636b sec. 9, 13)."""

from __future__ import annotations

from typing import Any, ClassVar

from pymeasure.instruments import Channel
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from drivers.wire import WireChannel

MAX_VOLTAGE = 202.0
MAX_CURRENT = 1.515
#: above this current the voltage is limited to the 20 V range, and the reverse
LOW_VOLTAGE = 20.2
LOW_CURRENT = 0.101
MIN_CURRENT_LIMIT = 100e-12
MIN_VOLTAGE_LIMIT = 0.02
NPLC = (0.001, 25.0)
#: of the voltage source, as a fraction of its range; of a current as shown, of its range
SOURCE_RESOLUTION, MEASURE_RESOLUTION = 2.5e-5, 1e-6
MAX_DELAY = 100_000.0
MAX_INTERVAL = 1.0
#: elements that a buffer holds with time stamps and source values
MAX_POINTS = 60_000
VOLTAGE_RANGES = (0.2, 2.0, 20.0, 200.0)
#: current range, A -> s that measure.delay AUTO waits on it (the two lowest with the analog filter)
SETTLING = {
    100e-12: 0.45,
    1e-9: 0.45,
    10e-9: 0.09,
    100e-9: 15e-3,
    1e-6: 2.5e-3,
    10e-6: 500e-6,
    100e-6: 150e-6,
    1e-3: 100e-6,
    10e-3: 80e-6,
    100e-3: 80e-6,
    1.0: 120e-6,
    1.5: 120e-6,
}

OFF_MODES = {"normal": 0, "zero": 1, "high_z": 2}
SENSE = {"local": 0, "remote": 1}
AUTOZERO = {"off": 0, "once": 1, "auto": 2}
FUNCTIONS = {"current": 0, "voltage": 1}


def _number_setting(attribute: str, doc: str, values: tuple[float, float]) -> Any:
    return Channel.control(
        f"print(smu{{ch}}.{attribute})",
        f"smu{{ch}}.{attribute}=%.12g",
        doc,
        validator=strict_range,
        values=values,
        check_set_errors=True,
    )


def _choice_setting(attribute: str, doc: str, values: dict[Any, int]) -> Any:
    return Channel.control(
        f"print(smu{{ch}}.{attribute})",
        f"smu{{ch}}.{attribute}=%d",
        doc,
        validator=strict_discrete_set,
        values=values,
        map_values=True,
        check_set_errors=True,
    )


class Keithley2636BSettings(WireChannel):
    """PyMeasure properties of one channel; each setting is followed by a look into the error queue."""

    source_function: str = _choice_setting(
        "source.func", """Control what is sourced, ``voltage`` or ``current``.""", FUNCTIONS
    )
    source_voltage: float = _number_setting(
        "source.levelv", """Control the source voltage in V.""", (-MAX_VOLTAGE, MAX_VOLTAGE)
    )
    source_current: float = _number_setting(
        "source.leveli", """Control the source current in A.""", (-MAX_CURRENT, MAX_CURRENT)
    )
    compliance_current: float = _number_setting(
        "source.limiti", """Control the current limit of a voltage source in A.""", (MIN_CURRENT_LIMIT, MAX_CURRENT)
    )
    compliance_voltage: float = _number_setting(
        "source.limitv", """Control the voltage limit of a current source in V.""", (MIN_VOLTAGE_LIMIT, MAX_VOLTAGE)
    )
    current_range: float = _number_setting(
        "measure.rangei", """Control the current range in A; setting one ends autorange.""", (0.0, MAX_CURRENT)
    )
    voltage_range: float = _number_setting(
        "measure.rangev", """Control the voltage range in V; setting one ends autorange.""", (0.0, MAX_VOLTAGE)
    )
    nplc: float = _number_setting("measure.nplc", """Control the integration time in power line cycles.""", NPLC)
    autozero: str = _choice_setting(
        "measure.autozero", """Control autozero, ``off``, ``once`` or ``auto``.""", AUTOZERO
    )
    sense: str = _choice_setting("sense", """Control two-wire (``local``) or four-wire sensing.""", SENSE)
    off_mode: str = _choice_setting(
        "source.offmode", """Control what "off" means: ``normal``, ``zero`` or ``high_z``.""", OFF_MODES
    )
    voltage: float = Channel.measurement("print(smu{ch}.measure.v())", """Measure the voltage in V.""")
    current: float = Channel.measurement("print(smu{ch}.measure.i())", """Measure the current in A.""")
    in_compliance: bool = Channel.measurement(
        "print(smu{ch}.source.compliance)",
        """Get whether the source is limited now.""",
        cast=str,
        get_process=lambda reply: reply.strip() == "true",
    )

    #: attributes in the settings' snapshot
    snapshot: ClassVar[tuple[str, ...]] = (
        "source.func",
        "source.levelv",
        "source.leveli",
        "source.limitv",
        "source.limiti",
        "source.autorangev",
        "source.rangev",
        "source.output",
        "source.offmode",
        "sense",
        "measure.nplc",
        "measure.autorangei",
        "measure.rangei",
        "measure.autozero",
        "measure.delay",
        "measure.filter.enable",
    )
