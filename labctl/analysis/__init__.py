"""Arrays in, results with intervals out."""
