"""What is wrong with a command line, told as every other error: a line of what, and one of what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import typer

from harness.errors import ConfigError

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # of the parser that typer brings, whose room is not public
IN_WORDS = (  # what the parser says of a value → what it must be
    (r"valid integer", "a whole number"),
    (r"valid (number|float)", "a number"),
    (r"greater than or equal to (\S+)", r"\1 or more"),
    (r"less than or equal to (\S+)", r"\1 or less"),
    (r"not in the range (.+?)\.?$", r"a number, \1"),
)
ALL = "harness --help lists the commands"


def wrong_usage(error: Any, words: Sequence[str], app: typer.Typer) -> ConfigError:
    """Returns what to tell. error: a UsageError. words: the command line. app: whose it is."""
    commands: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    name = next((word for word in words if not word.startswith("-")), "")
    command, message = commands.get(name), str(getattr(error, "message", ""))
    option, parameter = getattr(error, "option_name", None), getattr(error, "param", None)
    if command is None:
        return unknown_command(name, commands) if name else ConfigError(f"harness has no option {option}", ALL)
    where = f"harness {name}"
    if hasattr(error, "possibilities"):
        return unknown_option(str(option), name, commands)
    if option:
        return ConfigError(
            f"{option} of {where} {'needs a' if 'requires' in message else 'takes no'} value", see(where)
        )
    if parameter is None:
        return extra_words(message, where, command)
    called = max(parameter.opts, key=len) if parameter.param_type_name == "option" else metavar(parameter).rstrip(".")
    if not message:
        return ConfigError(f"{where} needs {called}", f"{called} is {parameter.help or 'missing'}")
    return ConfigError(f"{called} must be {must_be(message)}{given(parameter, words)}", see(where))


def see(where: str) -> str:
    return f"{where} --help says what there is"


def unknown_command(name: str, commands: Mapping[str, Any]) -> ConfigError:
    near = get_close_matches(name, commands, 1)
    return ConfigError(f"there is no command {name!r}", f"did you mean harness {near[0]}? {ALL}" if near else ALL)


def unknown_option(option: str, name: str, commands: Mapping[str, Any]) -> ConfigError:
    """Names the nearest option of the command, or the other commands that have this one."""
    own = options_of(commands[name])
    others = [other for other, command in commands.items() if option in options_of(command)]
    near = get_close_matches(option.lstrip("-"), [text.lstrip("-") for text in own if text.startswith("--")], 1)
    advice = f"did you mean --{near[0]}? " if near else ""
    if others:
        advice = f"harness {' and '.join(others[:2])} {'has' if len(others) == 1 else 'have'} it; "
    return ConfigError(f"harness {name} has no option {option}", advice + see(f"harness {name}"))


def options_of(command: Any) -> list[str]:
    return [text for parameter in command.params if parameter.param_type_name == "option" for text in parameter.opts]


def extra_words(message: str, where: str, command: Any) -> ConfigError:
    found = re.search(r"\(([^()]*)\)$", message)  # behind "argument(s)"
    takes = " ".join(metavar(p) for p in command.params if p.param_type_name == "argument") or "options alone"
    what = f"{where} takes {takes}, and no more: {found[1]}" if found else message
    return ConfigError(what, f"leave it out, or put it in quotes where it belongs to one word; {see(where)}")


def metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def given(parameter: Any, words: Sequence[str]) -> str:
    """Says the value that was given to the option once: the parser does not say which it means."""
    pairs = [*pairwise(words), *(tuple(word.split("=", 1)) for word in words if "=" in word)]
    values = [value for option, value in pairs if option in parameter.opts]
    return f", not {values[0]}" if len(values) == 1 else ""


def must_be(message: str) -> str:
    return next((found.expand(words) for said, words in IN_WORDS if (found := re.search(said, message))), message)
