"""Devices in closed form."""
