"""What a device has seen over all its runs, from the run files of a folder."""

from labctl.ledger.book import Entry, Ledger, Total, read_ledger

__all__ = ["Entry", "Ledger", "Total", "read_ledger"]
