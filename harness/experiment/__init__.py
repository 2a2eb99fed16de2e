"""What a user names or writes → Experiment: what is to be tested."""
