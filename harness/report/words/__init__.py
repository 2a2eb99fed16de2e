"""What the figures of a report say, in short sentences."""
