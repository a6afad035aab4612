"""The module that PyVISA looks up for ``ResourceManager("bench.yaml@labctl")``."""

from sim_backend.visa import LabctlVisaLibrary as WRAPPER_CLASS

__all__ = ["WRAPPER_CLASS"]
