"""The protocol language."""
