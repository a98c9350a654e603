# SPDX-License-Identifier: GPL-2.0
"""A process that takes part: started, killed, and asked how it ended."""

import os
import random
import signal
import traceback


class Actor:
    """A process of a user, which does one thing until it is told to end, or is killed.

    prepare is called first, with the rights of root.
    """

    def __init__(self, ledger, work, seed, user=0, prepare=None):
        self.work = work
        self.name = work.__name__
        self.prepare = prepare
        self.row = ledger.row()
        self.killed = False
        self.end = None
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(self.body(seed, user))

    def body(self, seed, user):
        """In the new process; returns its status."""
        try:
            if self.prepare:
                self.prepare()
            if user:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            self.work(self.row, random.Random(seed))
            return 0
        except BaseException as error:  # pylint: disable=broad-except
            place = traceback.extract_tb(error.__traceback__)[-1]
            os.write(2, f"torture: {self.name} of user {user}, seed {seed}: {error!r} "
                        f"at {os.path.basename(place.filename)}:{place.lineno}\n".encode())
            traceback.print_exc()
            return 1

    def kill(self):
        """At once, whatever it is doing. How it ended is known afterwards."""
        if not self.has_ended():
            self.killed = True
            os.kill(self.pid, signal.SIGKILL)

    def has_ended(self):
        if self.end is None:
            self.reap(os.WNOHANG)
        return self.end is not None

    def wait(self):
        if self.end is None:
            self.reap(0)

    def reap(self, flags):
        pid, status = os.waitpid(self.pid, flags)
        if pid:
            self.end = os.waitstatus_to_exitcode(status)
            self.row.give_back()

    def failed(self):
        """Whether it ended otherwise than it should."""
        return self.end not in (None, 0) and not (self.killed and self.end == -signal.SIGKILL)
