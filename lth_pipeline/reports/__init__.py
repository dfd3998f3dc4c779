"""Figures, tables and the report. Reads tables, knows neither Dagster nor MLflow."""
