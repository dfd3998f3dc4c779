"""Real servers: PostgreSQL, MLflow's server with a login, Dagster's pages and daemon on them."""
