"""A run's raw records → Comparison; and what changed between two runs."""
