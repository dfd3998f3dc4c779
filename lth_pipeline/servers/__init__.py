"""The servers of `lth ui`: Dagster's and MLflow's applications, each behind one guard and in a process of its own.

`lth ui` starts each by `python -m lth_pipeline.servers.dagster` (or `.mlflow`) in the environment of its home. They end
when it is gone.
"""
