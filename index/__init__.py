"""From knowledge to a decision: normalise, retrieve, rank, calibrate, decide."""
