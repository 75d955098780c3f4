"""What fits, evaluates and studies: encoder training, calibration, evaluation.  Nothing that serves imports it."""
