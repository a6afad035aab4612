"""Instrument drivers, one module per instrument, found through the entry-point group `labctl.drivers`."""
