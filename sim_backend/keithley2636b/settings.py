"""Settings of one channel: names, defaults after reset, and limits (reference keithley2636b sec. 9, 11)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.ranges import MOST_AMPS, MOST_PULSE_AMPS, MOST_VOLTS, SOURCE_OVER
from sim_backend.keithley2636b.values import Check, choice, limit, number, whole, within

AMPS, VOLTS = 0, 1
OFF, ON, HIGH_Z = 0, 1, 2
NORMAL, ZERO = 0, 1
AUTORANGE_OFF, AUTORANGE_ON, FOLLOW_LIMIT = 0, 1, 2
AUTOZERO_OFF, AUTOZERO_ONCE, AUTOZERO_AUTO = 0, 1, 2
FILTER_MOVING, FILTER_REPEAT, FILTER_MEDIAN = 0, 1, 2
DELAY_AUTO = -1.0
LONGEST_DELAY = 100_000.0


@dataclass(slots=True)
class Settings:
    """Volts, amperes, seconds, watts. A name is the attribute's path with dots as underscores."""

    sense: int = 0

    source_func: int = VOLTS
    source_levelv: float = 0.0
    source_leveli: float = 0.0
    source_limitv: float = 20.0
    source_limiti: float = 0.1
    source_limitp: float = 0.0
    source_rangev: float = 0.2
    source_rangei: float = 1e-9
    source_autorangev: int = 1
    source_autorangei: int = 1
    source_lowrangev: float = 0.2
    source_lowrangei: float = 1e-9
    source_output: int = OFF
    source_offmode: int = NORMAL
    source_offfunc: int = VOLTS
    source_offlimiti: float = 1e-3
    source_offlimitv: float = 40.0
    source_highc: int = 0
    source_settling: int = 0
    source_delay: float = 0.0
    source_sink: int = 0
    source_outputenableaction: int = 0

    measure_nplc: float = 1.0
    measure_autorangev: int = AUTORANGE_ON
    measure_autorangei: int = AUTORANGE_ON
    measure_rangev: float = 0.2
    measure_rangei: float = 0.1
    measure_lowrangev: float = 0.2
    measure_lowrangei: float = 100e-12
    measure_autozero: int = AUTOZERO_AUTO
    measure_count: int = 1
    measure_interval: float = 0.0
    measure_delay: float = DELAY_AUTO
    measure_delayfactor: float = 1.0
    measure_highcrangedelayfactor: float = 10.0
    measure_filter_count: int = 1
    measure_filter_enable: int = 0
    measure_filter_type: int = FILTER_REPEAT
    measure_analogfilter: int = 1
    measure_rel_enablev: int = 0
    measure_rel_enablei: int = 0
    measure_rel_enabler: int = 0
    measure_rel_enablep: int = 0
    measure_rel_levelv: float = 0.0
    measure_rel_leveli: float = 0.0
    measure_rel_levelr: float = 0.0
    measure_rel_levelp: float = 0.0

    contact_speed: int = 0
    contact_threshold: float = 50.0

    trigger_count: int = 1
    trigger_autoclear: int = 0
    trigger_arm_count: int = 1
    trigger_source_action: int = 0
    trigger_source_limitv: float = 0.0
    trigger_source_limiti: float = 0.0
    trigger_measure_action: int = 0
    trigger_endpulse_action: int = 1
    trigger_endsweep_action: int = 0

    def reset(self) -> None:
        """Everything to its default."""
        for field in fields(self):
            setattr(self, field.name, field.default)


def checks(options: Options) -> dict[str, Check]:
    """Attribute path -> check, for every attribute that a script may assign."""
    bad, far = options.choice_error, options.range_error
    switch = choice(bad, 0, 1)
    volts = within(-MOST_VOLTS * SOURCE_OVER, MOST_VOLTS * SOURCE_OVER, far)
    amps = within(-MOST_AMPS * SOURCE_OVER, MOST_AMPS * SOURCE_OVER, far)
    volt_range = within(-MOST_VOLTS * SOURCE_OVER, MOST_VOLTS * SOURCE_OVER, far)
    most_range = MOST_PULSE_AMPS if options.wide_range else MOST_AMPS * SOURCE_OVER
    amp_range = within(-most_range, most_range, far)
    seconds = within(0.0, LONGEST_DELAY, far)

    def delay(value: object) -> float:
        return DELAY_AUTO if value == DELAY_AUTO else float(seconds(value))

    return {
        "sense": choice(bad, 0, 1, 3),
        "source.func": switch,
        "source.levelv": volts,
        "source.leveli": amps,
        "source.limitv": limit(0.02, MOST_VOLTS),
        "source.limiti": limit(100e-12, MOST_AMPS),
        "source.limitp": within(0.0, 1e6, far),
        "source.rangev": volt_range,
        "source.rangei": amp_range,
        "source.autorangev": switch,
        "source.autorangei": switch,
        "source.lowrangev": volt_range,
        "source.lowrangei": amp_range,
        "source.output": choice(bad, 0, 1, 2),
        "source.offmode": choice(bad, 0, 1, 2),
        "source.offfunc": switch,
        "source.offlimiti": limit(100e-12, MOST_AMPS),
        "source.offlimitv": limit(0.02, MOST_VOLTS),
        "source.highc": switch,
        "source.settling": choice(bad, 0, 1, 2, 3, 4, 128),
        "source.delay": delay,
        "source.sink": switch,
        "source.outputenableaction": switch,
        "measure.nplc": within(0.001, 25.0, far),
        "measure.autorangev": choice(bad, 0, 1, 2),
        "measure.autorangei": choice(bad, 0, 1, 2),
        "measure.rangev": volt_range,
        "measure.rangei": amp_range,
        "measure.lowrangev": volt_range,
        "measure.lowrangei": amp_range,
        "measure.autozero": choice(bad, 0, 1, 2),
        "measure.count": whole(1, 1_000_000, far),
        "measure.interval": within(0.0, 1.0, far),
        "measure.delay": delay,
        "measure.delayfactor": within(0.0, 1000.0, far),
        "measure.highcrangedelayfactor": within(1.0, 99.0, far),
        "measure.filter.count": whole(1, 100, far),
        "measure.filter.enable": switch,
        "measure.filter.type": choice(bad, 0, 1, 2),
        "measure.analogfilter": switch,
        **{f"measure.rel.enable{kind}": switch for kind in "virp"},
        **{f"measure.rel.level{kind}": number for kind in "virp"},
        "contact.speed": choice(bad, 0, 1, 2),
        "contact.threshold": within(0.0, 1e6, far),
        "trigger.count": whole(0, 2**31, far),
        "trigger.autoclear": switch,
        "trigger.arm.count": whole(1, 2**31, far),
        "trigger.source.action": switch,
        "trigger.source.limitv": within(0.0, MOST_VOLTS, far),
        "trigger.source.limiti": within(0.0, MOST_PULSE_AMPS, far),
        "trigger.measure.action": choice(bad, 0, 1, 2),
        "trigger.endpulse.action": switch,
        "trigger.endsweep.action": switch,
    }
