"""Single samples in a report: what each model says of them, and their pictures."""
