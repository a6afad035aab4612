"""Channels of a measurement in a B1500A, and what their data elements mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from drivers import b1500a_data as data
from drivers.b1500a_data import Elements, ReadSetup

if TYPE_CHECKING:
    from drivers.b1500a import B1500A
    from drivers.b1500a_channel import B1500AChannel

#: one value for all channels, one each, or as configured
PerChannel = float | Mapping[str, float | None] | None


@dataclass(frozen=True)
class Station:
    """A channel of a measurement: how it reads, and what it may draw (A)."""

    channel: B1500AChannel
    setup: ReadSetup

    @property
    def slot(self) -> int:
        """Its number in commands."""
        return int(self.channel.slot)


def stations(
    b: B1500A, names: Sequence[str], compliance: PerChannel, range_: PerChannel, nplc: float
) -> dict[str, Station]:
    """Channels by name, with what is asked for each; what is not asked stays as configured.

    Raises:
        SettingError: an unknown channel, or no compliance.
    """
    found = {}
    for name in names:
        channel = b.channel(name)
        changes: dict[str, Any] = {"limit": _of(compliance, name), "nplc": nplc}
        setup = channel.merged(**changes)
        if range_ is not None:
            wanted = _of(range_, name)
            setup = ReadSetup(setup.limit, wanted, setup.nplc, setup.delay, None if wanted else setup.least)
        found[name] = Station(channel, setup)
    return found


def _of(value: PerChannel, name: str) -> float | None:
    return value.get(name) if isinstance(value, Mapping) else value


def reading_commands(at: Mapping[str, Station], measured: Sequence[str]) -> dict[str, str]:
    """Commands that set up how the ``measured`` channels read, by the name of the setting.

    Raises:
        SettingError: a channel has no such range.
    """
    found: dict[str, str] = {}
    for name in measured:
        found |= at[name].channel.reading_commands(at[name].setup)
    return found


def columns_of(
    found: Elements, at: Mapping[str, Station], measured: Sequence[str], measure_voltage: bool
) -> tuple[dict[str, data.Floats], dict[str, data.Ints], dict[str, data.Floats]]:
    """Amps, status and measured volts by channel."""
    amps, status, volts = {}, {}, {}
    for name in measured:
        amps[name], status[name] = found.readings("I", at[name].slot)
        if measure_voltage:
            volts[name], state = found.readings("V", at[name].slot)
            status[name] = status[name] | state
    return amps, status, volts


def exceeds(part: Elements, slot: int, limit: float) -> bool:
    """Whether a current is beyond ``limit`` (A); an overflow counts as that."""
    amps, _ = part.readings("I", slot)
    return bool(np.any(~(np.abs(amps) <= limit)))
