"""Stored runs: results/ on disk, the accepted reference of an experiment, and the tables of a run."""
