"""The analyses: what each reads of an experiment, and how it is computed and kept; catalog.py lists them."""
