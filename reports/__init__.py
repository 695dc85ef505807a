"""From a run directory to figures, pictures and verdicts. Reads files, never a live run."""
