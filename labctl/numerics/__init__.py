"""Pure array functions that execution and analysis share."""
