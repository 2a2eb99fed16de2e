"""The command `harness`: the only room that prints errors or exits. Heavy rooms are imported where needed."""

from __future__ import annotations

import gc
import sys
import traceback
from typing import Annotated

import typer

from harness import __version__
from harness.cli import command_aa as aa
from harness.cli import command_audit as audit
from harness.cli import command_clean as clean
from harness.cli import command_compare as compare
from harness.cli import command_cure as cure
from harness.cli import command_devices as devices
from harness.cli import command_explain as explain
from harness.cli import command_gate as gate
from harness.cli import command_init as init
from harness.cli import command_parity as parity
from harness.cli import command_results as results
from harness.cli import command_run as run
from harness.cli import command_trend as trend
from harness.cli import command_upgrade as upgrade
from harness.cli.output import open_streams
from harness.cli.usage import UsageError, wrong_usage
from harness.errors import ConfigError, HarnessError
from harness.support.files import telling_disk
from harness.support.text import harmless

DEBUG = "--debug"
OWN_FAULT = 4  # not 1, which says that something was measured
LONGEST = 2000  # characters of a message

app = typer.Typer(
    name="harness",
    help="Builds the TFLite variants of a Keras model, measures each on its device, and says what each costs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Errors are one line of what happened and one of what to do; --debug adds the traceback.",
)


def print_version(asked: bool) -> None:
    if asked:
        print(f"edge-harness {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    pass


for room in (run, results, compare, explain, cure, trend, gate, upgrade, devices, aa, audit, init, clean, parity):
    for command in room.COMMANDS:
        app.command()(command)


def main() -> None:
    """Exit codes: 0 good, 1 measured not good, 2 input, 3 device or link, 4 a fault of the harness, 130 interrupted."""
    gc.set_threshold(50_000)  # rooms load some hundred thousand objects that stay: to look at them again takes .1 s
    debug = DEBUG in sys.argv
    sys.argv = [word for word in sys.argv if word != DEBUG]
    open_streams()
    try:
        with telling_disk():  # a file where a folder is meant, one that may not be written, a full disk
            code = app(standalone_mode=False)
            sys.stdout.flush()  # here, where it can be said that it failed
        sys.exit(code or 0)
    except UsageError as error:
        if len(sys.argv) == 1:  # its help was shown
            sys.exit(ConfigError.exit_code)
        tell(wrong_usage(error, sys.argv[1:], app), debug)
        sys.exit(ConfigError.exit_code)
    except HarnessError as error:
        tell(error, debug)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error}"
        tell(HarnessError(message, "this is a fault of the harness; --debug shows where"), debug)
        sys.exit(OWN_FAULT)
    finally:
        gc.freeze()  # the process ends: to search all that it has loaded for cycles takes .1 s


def short(text: str) -> str:
    """The text without its middle where it is long, as one is that tells a cell or a name of somebody else's."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def tell(error: HarnessError, debug: bool) -> None:
    """One line of what and one of what to do; with debug, the exception that is being handled before them."""
    if debug:
        traceback.print_exc()
    print(f"harness: {harmless(short(' '.join(str(error).split())))}", file=sys.stderr)
    if error.advice:
        print(f"         {harmless(error.advice)}", file=sys.stderr)
