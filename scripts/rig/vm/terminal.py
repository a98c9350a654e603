# SPDX-License-Identifier: GPL-2.0
"""The user's terminal in raw mode, while a command in the guest has it."""

import sys
import termios
import tty


class Raw:
    """Restores the terminal at the end; does nothing unless asked to."""

    def __init__(self, wanted):
        self.active = wanted
        self.saved = None

    def __enter__(self):
        if self.active:
            self.saved = termios.tcgetattr(sys.stdin)
            tty.setraw(sys.stdin)
        return self

    def __exit__(self, *_):
        if self.active:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)
