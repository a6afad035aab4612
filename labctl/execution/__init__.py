"""Execution of a plan."""
