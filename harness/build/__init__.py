"""Experiment → model, baseline and checked variants, each through the cache: nothing is built twice."""
