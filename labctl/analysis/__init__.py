"""Arrays in, results with intervals out. Loads fast: pandas and scipy come with the first analysis."""

from labctl.analysis.estimate import Estimate
from labctl.analysis.psychometric import PsychometricFit, fit_psychometric
from labctl.analysis.requests import analyze_run
from labctl.analysis.results import Result, to_frame
from labctl.analysis.runs import AnalysisError

__all__ = ["AnalysisError", "Estimate", "PsychometricFit", "Result", "analyze_run", "fit_psychometric", "to_frame"]
