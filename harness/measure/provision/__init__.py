"""What a device has, what fits it, how it gets there, and whom we trust it to be."""
