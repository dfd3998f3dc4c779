-- Run once, as PostgreSQL's administrator:  sudo -u postgres psql -f deploy/servers/databases.sql
-- then give each its password:              sudo -u postgres psql -c '\password lth_dagster'   (and lth_mlflow)
CREATE ROLE lth_dagster LOGIN;
CREATE ROLE lth_mlflow LOGIN;
CREATE DATABASE lth_dagster OWNER lth_dagster;
CREATE DATABASE lth_mlflow OWNER lth_mlflow;
REVOKE CONNECT ON DATABASE lth_dagster, lth_mlflow FROM PUBLIC;
