"""The module that PyVISA looks up for ``ResourceManager("bench.yaml@labctl")``."""

from sim_backend.visa import LabctlVisaLibrary

WRAPPER_CLASS = LabctlVisaLibrary
