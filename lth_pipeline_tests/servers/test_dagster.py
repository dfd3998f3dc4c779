"""What our Dagster server takes from Dagster beyond its public functions is there, and takes what we give it."""

import inspect


def test_the_parts_of_dagster_dev_are_where_we_look():
    """When this fails after an update of Dagster: look at dagster/_cli/dev.py and dagster_webserver/cli.py."""
    from dagster import DagsterInstance
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster._daemon.cli import run_command
    from dagster_webserver.app import create_app_from_workspace_process_context

    inspect.signature(ProxyServerManager).bind("instance", "target", "warning")
    inspect.signature(WorkspaceFileTarget).bind(["workspace.yaml"])
    inspect.signature(WorkspaceProcessContext).bind(
        "instance", "target", version="1", read_only=False, code_server_log_level="warning"
    )
    inspect.signature(create_app_from_workspace_process_context).bind("context")
    inspect.signature(DagsterInstance.optimize_for_webserver).bind("self", 1, 1, 1)
    inspect.signature(ProxyServerManager.get_code_server_specs).bind("self")
    options = {option for parameter in run_command.params for option in parameter.opts}
    assert {"--workspace", "--log-level", "--code-server-log-level"} <= options
