"""Makes ``fake_run`` importable beside the tests (importmode importlib adds no path)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
