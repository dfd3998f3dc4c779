"""Training a network under a mask, and what is recorded on the way."""
