"""The simulated bench behind PyVISA: ``pyvisa.ResourceManager("bench.yaml@labctl")``."""

from sim_backend.visa.library import LabctlVisaLibrary

__all__ = ["LabctlVisaLibrary"]
