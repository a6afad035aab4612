"""The simulated bench behind PyVISA (`@labctl`)."""
