"""What is written while running: the row, the recorder, the run directory; all figures are computed from it."""
