"""Which weights stay: ladders, criteria, masks and what they are applied to."""
