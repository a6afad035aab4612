"""Generic SCPI: headers, program data, message exchange, status; what it means belongs to the instruments."""

from sim_backend.scpi.errors import TEXTS, ScpiError
from sim_backend.scpi.session import Command, Session, Suffixes, Tokens
from sim_backend.scpi.status import ErrorQueue, Status

__all__ = ["TEXTS", "Command", "ErrorQueue", "ScpiError", "Session", "Status", "Suffixes", "Tokens"]
