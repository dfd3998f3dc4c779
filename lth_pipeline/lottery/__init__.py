"""The science: torch in, torch out. Knows neither Dagster nor MLflow."""
