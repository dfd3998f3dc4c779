"""Inputs by the ten thousand for all that reads a file: `python -m lth_pipeline_tests.fuzz` (docs/security.md)."""
