# SPDX-License-Identifier: GPL-2.0
"""A step of the tour: something that a program may want of the node, and what came of it."""

import dataclasses
import errno
import re
import signal

from harness import wire

# An emulated machine needs seconds for most steps.
LIMIT = 120


class Fails(Exception):
    """The step did not come out as a program would want; the text is for the table."""


@dataclasses.dataclass
class Step:
    """Its function returns what is to be shown of a success, or nothing."""

    title: str
    function: object
    measure: bool

    @property
    def name(self):
        return self.function.__name__

    def take(self):
        """Whether it works, and what to show."""
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(LIMIT)
        try:
            return True, self.function() or ""
        except Fails as why:
            return False, str(why)
        except Exception as error:  # pylint: disable=broad-except
            # Whatever it is, the steps after it are to be seen.
            return False, spoken(error) or type(error).__name__
        finally:
            signal.alarm(0)


def too_long(*_):
    raise Fails(f"not done after {LIMIT} s")


def step(title, measure=False):
    """Makes a function a step; of a measure, the figure says more than whether it is good."""
    return lambda function: Step(title, function, measure)


def of(module):
    """The steps of a module, in their order."""
    return [item for item in vars(module).values() if isinstance(item, Step)]


def spoken(error):
    """An error in a few words."""
    if isinstance(error, wire.Rc):
        return f"{error.code:#x}"
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno, str(error))
    return str(error)


def outcome(function, *arguments):
    """What becomes of a call: "success", a response code or an errno."""
    try:
        function(*arguments)
    except (wire.Rc, OSError, AssertionError) as error:
        return spoken(error)
    return "success"


def alive(things):
    """How many keys and sessions are still what they were."""
    return sum(outcome(thing.check) == "success" for thing in things)


def first_code(text):
    """The response code or errno that a program's output has first."""
    found = re.search(r"0x[0-9a-fA-F]{3,5}\b|errno \d+", text)
    return found[0].lower() if found else ""
