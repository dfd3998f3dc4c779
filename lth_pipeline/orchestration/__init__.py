"""The record plane, Dagster. Thin: an asset asks recipes/ and records the answer."""
