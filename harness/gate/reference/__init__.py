"""Rules against the past: stored sessions, or the reference timed again beside the candidate."""
