"""What is read off a transistor's curves, base currents and records (reference devices_and_protocols sec. 1.5, 1.6)."""
