"""Test and calibration samples from what a user has: files and folders of several kinds, or a function."""
