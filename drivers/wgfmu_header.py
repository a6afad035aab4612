"""What wgfmu.h declares, for ctypes: every function, every constant (reference b1530a sec. 2, 3).

``SIGNATURES`` is the one place where argument types are declared; nothing is ever called without them, for an int
given for a ``double`` would be passed in the wrong register (reference b1530a sec. 10).
"""

from __future__ import annotations

from ctypes import POINTER, c_char, c_char_p, c_double, c_int
from enum import IntEnum
from typing import Any

PREFIX = "WGFMU_"
NO_ERROR = 0

_TEXT = c_char_p  # const char*
_TEXTS = POINTER(c_char_p)  # const char**
_BUFFER = POINTER(c_char)  # char*, filled by the library
_BUFFERS = POINTER(POINTER(c_char))  # char**
_INT = c_int
_REAL = c_double  # the library knows no other real number
_INTS = POINTER(c_int)
_REALS = POINTER(c_double)

#: argument types of each function by its name without ``WGFMU_``; all return int
SIGNATURES: dict[str, tuple[Any, ...]] = {
    # session, initialise
    "openSession": (_TEXT,),
    "closeSession": (),
    "initialize": (),
    "setTimeout": (_REAL,),
    "doSelfCalibration": (_INTS, _BUFFER, _INTS),
    "doSelfTest": (_INTS, _BUFFER, _INTS),
    "getChannelIdSize": (_INTS,),
    "getChannelIds": (_INTS, _INTS),
    # errors and warnings
    "getErrorSize": (_INTS,),
    "getError": (_BUFFER, _INTS),
    "getErrorSummarySize": (_INTS,),
    "getErrorSummary": (_BUFFER, _INTS),
    "treatWarningsAsErrors": (_INT,),
    "setWarningLevel": (_INT,),
    "getWarningLevel": (_INTS,),
    "getWarningSummarySize": (_INTS,),
    "getWarningSummary": (_BUFFER, _INTS),
    "openLogFile": (_TEXT,),
    "closeLogFile": (),
    # channel setup
    "setOperationMode": (_INT, _INT),
    "getOperationMode": (_INT, _INTS),
    "setForceVoltageRange": (_INT, _INT),
    "getForceVoltageRange": (_INT, _INTS),
    "setMeasureMode": (_INT, _INT),
    "getMeasureMode": (_INT, _INTS),
    "setMeasureVoltageRange": (_INT, _INT),
    "getMeasureVoltageRange": (_INT, _INTS),
    "setMeasureCurrentRange": (_INT, _INT),
    "getMeasureCurrentRange": (_INT, _INTS),
    "setForceDelay": (_INT, _REAL),
    "getForceDelay": (_INT, _REALS),
    "setMeasureDelay": (_INT, _REAL),
    "getMeasureDelay": (_INT, _REALS),
    "setMeasureEnabled": (_INT, _INT),
    "isMeasureEnabled": (_INT, _INTS),
    "setTriggerOutMode": (_INT, _INT, _INT),
    "getTriggerOutMode": (_INT, _INTS, _INTS),
    "connect": (_INT,),
    "disconnect": (_INT,),
    # library
    "clear": (),
    # patterns
    "createPattern": (_TEXT, _REAL),
    "addVector": (_TEXT, _REAL, _REAL),
    "addVectors": (_TEXT, _REALS, _REALS, _INT),
    "setVector": (_TEXT, _REAL, _REAL),
    "setVectors": (_TEXT, _REALS, _REALS, _INT),
    "createMergedPattern": (_TEXT, _TEXT, _TEXT, _INT),
    "createMultipliedPattern": (_TEXT, _TEXT, _REAL, _REAL),
    "createOffsetPattern": (_TEXT, _TEXT, _REAL, _REAL),
    # events: pattern, event, time, points, interval, averaging time, raw data
    "setMeasureEvent": (_TEXT, _TEXT, _REAL, _INT, _REAL, _REAL, _INT),
    "setRangeEvent": (_TEXT, _TEXT, _REAL, _INT),
    "setTriggerOutEvent": (_TEXT, _TEXT, _REAL, _REAL),
    # sequences
    "addSequence": (_INT, _TEXT, _REAL),
    "addSequences": (_INT, _TEXTS, _REALS, _INT),
    # setup check: pattern
    "getPatternForceValueSize": (_TEXT, _INTS),
    "getPatternForceValues": (_TEXT, _INT, _INTS, _REALS, _REALS),
    "getPatternForceValue": (_TEXT, _INT, _REALS, _REALS),
    "getPatternInterpolatedForceValue": (_TEXT, _REAL, _REALS),
    "getPatternMeasureTimeSize": (_TEXT, _INTS),
    "getPatternMeasureTimes": (_TEXT, _INT, _INTS, _REALS),
    "getPatternMeasureTime": (_TEXT, _INT, _REALS),
    # setup check: sequence; sizes and indices of force values are double
    "getForceValueSize": (_INT, _REALS),
    "getForceValues": (_INT, _REAL, _INTS, _REALS, _REALS),
    "getForceValue": (_INT, _REAL, _REALS, _REALS),
    "getInterpolatedForceValue": (_INT, _REAL, _REALS),
    "getMeasureTimeSize": (_INT, _INTS),
    "getMeasureTimes": (_INT, _INT, _INTS, _REALS),
    "getMeasureTime": (_INT, _INT, _REALS),
    # setup check: event: patterns, events, cycles, loops, counts, offsets, sizes
    "getMeasureEventSize": (_INT, _INTS),
    "getMeasureEvents": (_INT, _INT, _INTS, _BUFFERS, _BUFFERS, _INTS, _REALS, _INTS, _INTS, _INTS),
    "getMeasureEvent": (_INT, _INT, _BUFFER, _BUFFER, _INTS, _REALS, _INTS, _INTS, _INTS),
    "getMeasureEventAttribute": (_INT, _INT, _REALS, _INTS, _REALS, _REALS, _INTS),
    # export
    "exportAscii": (_TEXT,),
    # measurement
    "update": (),
    "updateChannel": (_INT,),
    "execute": (),
    "abort": (),
    "abortChannel": (_INT,),
    "waitUntilCompleted": (),
    "getStatus": (_INTS, _REALS, _REALS),
    "getChannelStatus": (_INT, _INTS, _REALS, _REALS),
    # data
    "getMeasureValueSize": (_INT, _INTS, _INTS),
    "getMeasureValues": (_INT, _INT, _INTS, _REALS, _REALS),
    "getMeasureValue": (_INT, _INT, _REALS, _REALS),
    "getCompletedMeasureEventSize": (_INT, _INTS, _INTS),
    "isMeasureEventCompleted": (_INT, _TEXT, _TEXT, _INT, _REAL, _INT, _INTS, _INTS, _INTS, _INTS),
    # DC
    "dcforceVoltage": (_INT, _REAL),
    "dcmeasureValue": (_INT, _REALS),
    "dcmeasureAveragedValue": (_INT, _INT, _INT, _REALS),
}


class ErrorCode(IntEnum):
    """Return codes below 0."""

    PARAMETER_OUT_OF_RANGE_ERROR = -1
    ILLEGAL_STRING_ERROR = -2
    CONTEXT_ERROR = -3
    FUNCTION_NOT_SUPPORTED_ERROR = -4
    COMMUNICATION_ERROR = -5
    FW_ERROR = -6
    LIBRARY_ERROR = -7
    ERROR = -8
    CHANNEL_NOT_FOUND_ERROR = -9
    PATTERN_NOT_FOUND_ERROR = -10
    EVENT_NOT_FOUND_ERROR = -11
    PATTERN_ALREADY_EXISTS_ERROR = -12
    SEQUENCER_NOT_RUNNING_ERROR = -13
    RESULT_NOT_READY_ERROR = -14
    RESULT_OUT_OF_DATE = -15


class WarningLevel(IntEnum):
    OFF = 1000
    SEVERE = 1001
    NORMAL = 1002
    INFORMATION = 1003


class OperationMode(IntEnum):
    DC = 2000
    FASTIV = 2001
    PG = 2002
    SMU = 2003


class ForceVoltageRange(IntEnum):
    AUTO = 3000
    V3 = 3001
    V5 = 3002
    V10_NEGATIVE = 3003
    V10_POSITIVE = 3004


class MeasureMode(IntEnum):
    VOLTAGE = 4000
    CURRENT = 4001


class MeasureVoltageRange(IntEnum):
    V5 = 5001
    V10 = 5002


class MeasureCurrentRange(IntEnum):
    UA1 = 6001
    UA10 = 6002
    UA100 = 6003
    MA1 = 6004
    MA10 = 6005


class MeasureEnabled(IntEnum):
    DISABLE = 7000
    ENABLE = 7001


class TriggerOutMode(IntEnum):
    DISABLE = 8000
    START_EXECUTION = 8001
    START_SEQUENCE = 8002
    START_PATTERN = 8003
    EVENT = 8004


class TriggerOutPolarity(IntEnum):
    POSITIVE = 8100
    NEGATIVE = 8101


class Axis(IntEnum):
    TIME = 9000
    VOLTAGE = 9001


class Status(IntEnum):
    COMPLETED = 10000
    DONE = 10001
    RUNNING = 10002
    ABORT_COMPLETED = 10003
    ABORTED = 10004
    RUNNING_ILLEGAL = 10005
    IDLE = 10006


class EventCompleted(IntEnum):
    NOT_COMPLETED = 11000
    COMPLETED = 11001


class EventData(IntEnum):
    AVERAGED = 12000
    RAW = 12001
