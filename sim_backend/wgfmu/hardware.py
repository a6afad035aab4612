"""What reaches the fast channels: settings applied, output levels, RSU paths (reference b1530a sec. 1, 4.2)."""

from __future__ import annotations

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure
from sim_backend.wgfmu.mainframe import FastChannel
from sim_backend.wgfmu.ranges import PG_RESISTANCE
from sim_backend.wgfmu.state import Setup, State

_STIFF = 0.0  # ohm: Fast IV and DC outputs


def _smu_mode(setup: Setup) -> bool:
    return setup.mode == codes.MODE_SMU


def require_rsu(state: State, channel: FastChannel) -> None:
    """A channel without RSU fails when it is driven."""
    if channel.rsu is None:
        state.mainframe().errors.append((3001, "RSU is not connected."))
        raise Failure(codes.FIRMWARE, f"3001: RSU is not connected; CHANNEL{channel.number}")


def route(channel: FastChannel, setup: Setup) -> None:
    """Put the RSU where connection and mode say."""
    if channel.rsu is not None:
        channel.rsu.select("wgfmu" if setup.connected and not _smu_mode(setup) else "smu")


def drive(channel: FastChannel, setup: Setup, volts: float) -> None:
    """Constant output level from now on."""
    channel.port.drive(volts, PG_RESISTANCE if setup.mode == codes.MODE_PG else _STIFF)


def connect(state: State, number: int) -> None:
    """Enable a channel, its RSU on the fast path; the output begins at 0 V."""
    channel, setup = state.channel(number), state.setup(number)
    if _smu_mode(setup) and state.options.connect_in_smu_mode == "refuse":
        raise Failure(codes.NOT_SUPPORTED, f"The operation mode of channel {number} is the SMU mode.")
    if state.options.missing_rsu_at == "connect":
        require_rsu(state, channel)
    if not setup.connected:
        drive(channel, setup, 0.0)
    setup.connected = True
    route(channel, setup)


def release(state: State, number: int) -> None:
    """Disable a channel; its RSU goes back to the SMU path."""
    channel, setup = state.channel(number), state.setup(number)
    end_run(state, number)
    setup.connected = False
    route(channel, setup)
    channel.port.open()


def end_run(state: State, number: int) -> None:
    """Stop what a channel is playing; its data so far stay."""
    run = state.runs.get(number)
    if run is None or run.mainframe.clock.now >= run.end:
        return
    run.abort()
    now = run.mainframe.clock.now
    if not any(other.recording is run.recording and now < other.end for other in state.runs.values()):
        run.mainframe.circuit.stop(run.recording)


def players(state: State) -> list[int]:
    """Channels of the session that are connected and in a mode that outputs waveforms."""
    return [n for n in state.mainframe().channels if state.setup(n).connected and state.setup(n).plays]
