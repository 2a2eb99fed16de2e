"""Whether a device's own program prepares raw files as training did: where the two part, and what each of them does.

To add a kind of raw file: one module with a Family of steps that is known of it, and its line in `parity.family_of`.
"""
