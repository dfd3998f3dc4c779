"""MLflow: the store, the layout of runs, what is logged. Knows nothing of Dagster."""
