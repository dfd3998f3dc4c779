"""`lth`: the command line."""

from __future__ import annotations

import sys

import click

from lth_pipeline import __version__
from lth_pipeline.commands.compare import compare
from lth_pipeline.commands.data import data
from lth_pipeline.commands.export import export
from lth_pipeline.commands.gc import gc
from lth_pipeline.commands.import_ import import_results
from lth_pipeline.commands.list import list_cards
from lth_pipeline.commands.predict import predict
from lth_pipeline.commands.publish import publish
from lth_pipeline.commands.report import report
from lth_pipeline.commands.results import results
from lth_pipeline.commands.run import run
from lth_pipeline.commands.show import show
from lth_pipeline.commands.status import status
from lth_pipeline.commands.ui import ui


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="lth")
def lth() -> None:
    """Find, test and explain winning lottery tickets."""


for command in (
    list_cards,
    show,
    run,
    status,
    results,
    report,
    compare,
    export,
    publish,
    data,
    predict,
    import_results,
    gc,
    ui,
):
    lth.add_command(command)


def main() -> None:
    """The entry point: our own errors are one message and status 2, never a traceback."""
    from lth_pipeline.commands.common import known_errors, mending

    try:
        status = mending(lambda: lth(standalone_mode=False))
    except click.exceptions.Exit as leaving:
        status = leaving.exit_code
    except click.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except known_errors() as error:
        click.echo(f"lth: {error}", err=True)
        status = 2
    except BrokenPipeError:  # `lth list | head`
        sys.stderr.close()
        status = 0
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
