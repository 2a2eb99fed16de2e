"""The exceptions of the harness: each message says what happened, each advice what to do next. cli/ prints them; other
rooms catch one only to add where it happened, to make it the reason of one row, or to continue with other devices.

HarnessError              exit 2 unless noted
├── ConfigError           the user's words: names, options, files they wrote
│   └── Problem               in a policy.toml, with its line (gate/policy/policy_file.py)
├── DataError             a data set that is absent, truncated or not what it claims
│   └── MnistUnavailable      neither given nor cached, and no network (build/workloads/mnist.py)
├── BuildError            the Keras model could not be trained, loaded or converted
│   └── TensorFlowMissing     the extra `build` is not installed (build/keras_process.py)
├── StoreError            a stored run that is absent, unreadable or from the future
├── DiskError             a file, folder or process of this machine that cannot be had; a full disk
├── Unreadable            a file that others wrote is not what it must be (support/foreign.py); a ValueError, too
└── TargetError           exit 3: the device or the link to it
    ├── TargetUnreachable     try again
    ├── TargetBusy            another run holds the device
    ├── NoPython              the device has no Python that runs our code
    └── JobFailed             the device's own code failed, in its words
"""


class HarnessError(Exception):
    """What happened (`str(error)`) and what to do next (`advice`)."""

    exit_code = 2

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class ConfigError(HarnessError):
    """A name, option or file of the user's that cannot be used."""


class DataError(HarnessError):
    """A data set that is absent, truncated or not what it claims to be."""


class BuildError(HarnessError):
    """The Keras model could not be trained, loaded or run."""


class StoreError(HarnessError):
    """A stored run that is absent, unreadable or written by a newer harness."""


class DiskError(HarnessError):
    """A file or folder of this machine that cannot be read or written, or a process that cannot be started."""


class Unreadable(HarnessError, ValueError):
    """A file or a text that others wrote is not what it must be."""

    def __init__(self, message: str, advice: str = "bring it back as it was, write it again, or give another") -> None:
        super().__init__(message, advice)


class TargetError(HarnessError):
    """The device or the link to it."""

    exit_code = 3


class TargetUnreachable(TargetError):
    """The link is down or broke; trying again may help."""


class TargetBusy(TargetError):
    """Another run holds the device."""


class NoPython(TargetError):
    """The device has no Python, or one too old for our code."""


class JobFailed(TargetError):
    """The device's own code failed, in its words."""


def install_extra(name: str) -> str:
    """What a user types to add an extra to the harness that is installed. Quoted: zsh takes brackets for a glob."""
    return f"pip install 'edge-harness[{name}]'"


def one_line(error: Exception, limit: int = 400) -> str:
    """What another package's error says, on one line of at most `limit` characters."""
    return " ".join(str(error).split())[:limit]
