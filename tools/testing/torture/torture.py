# SPDX-License-Identifier: GPL-2.0
"""The torture itself: who takes part, what happens to them, and what is looked for."""

import contextlib
import errno
import os
import random
import select
import shutil
import subprocess
import time

from actors import bystander, chips, clients, noise, others, sleep, unlucky
from actors.actor import Actor
from actors.ledger import NAMES, Ledger
from harness import faults, module, runner, tss, users, wire

# Users: a few who share the mob, and the bystanders, each his own.
MOB_USERS = (1000, 1001, 1002)
BYSTANDERS = (2000, 2001)
HOG_USER = 1003
# Those who are killed and replaced all the time, as often as they stand here.
MOB = (clients.honest, clients.honest, clients.honest, clients.greedy, clients.queued, noise.noise, noise.noise)
PARAMETERS = {
    "idle_ms": (0, 1, 50, 1000, 60000),
    "session_lease_ms": (100, 500, 2000),
    "session_wait_ms": (0, 100, 1000, 3000),
    # Without a reserve, the kernel would be told so.
    "kernel_reserve": (1, 2, 4),
    "max_sessions_per_user": (4, 16, 64),
    "session_policy": ("fail", "close", "never"),
}
IDLE_AT_LOAD = (0, 1000)
CHIPS = 2
NUMBERS = 64
# The shortest lease, in ms.
LEASE = 100
# What need not happen in a short torture.
MATTERS_OF_CHANCE = ("suspends_refused", "sessions_lost", "sessions_refused", "clients_ended", "sequences_checked")
# Seconds: until whoever was told to end must have; the longest between two events.
LIMIT, NAP = 180, 0.2


def hog(_row, _rng):
    """A program that takes whatever sessions it can get."""
    program = os.path.join(os.environ["TPMRM_PROGRAMS"], "crowd")
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 1)
    os.execv(program, [program, "hog", "22", "3"])


def take(tpm):
    """Starts sessions until there are none; returns how many there were."""
    for count in range(NUMBERS):
        try:
            tpm.start()
        except wire.Rc as answer:
            if answer.code not in clients.NONE_FREE:
                raise
            return count
    return NUMBERS


class Torture:
    """Everybody, what happens to them, and what was wrong."""

    def __init__(self, seed, module_file):
        self.rng = random.Random(seed)
        self.file = module_file
        self.ledger = Ledger()
        self.row = self.ledger.row()
        self.actors, self.fixed, self.chips = [], [], []
        self.wrong = []
        self.deck = []
        self.seals = False
        self.unlucky = faults.are_possible()
        self.mob = MOB + (unlucky.unlucky,) * (2 if self.unlucky else 0)

    # Who takes part.

    def start(self, work, user=0, prepare=None):
        return Actor(self.ledger, work, self.rng.randrange(1 << 32), user, prepare)

    def join_mob(self, work):
        prepare = faults.ask_for_them if work is unlucky.unlucky else None
        self.actors.append(self.start(work, self.rng.choice(MOB_USERS), prepare))
        self.row.add("clients_started")

    def begin(self):
        """Everybody comes, or comes back."""
        self.ledger.pause(False)
        os.chmod(tss.NODE, 0o666)
        if self.unlucky:
            faults.arrange(unlucky.PERCENT)
        self.fixed = [self.start(bystander.bystander, user) for user in BYSTANDERS]
        self.fixed += [self.start(others.raw_user), self.start(others.kernel_user)]
        for work in self.mob:
            self.join_mob(work)
        self.actors.append(self.start(hog, HOG_USER))
        for one in self.chips:
            self.use(one)

    def use(self, one):
        """A chip gets users, once it is served."""
        if not one.users and one.is_served():
            one.users = [self.start(work) for work in one.works()]
            if not one.was_used:
                self.row.add("plugs")
            one.was_used = True

    def end(self):
        """Everybody is told to end, and some are killed instead."""
        self.ledger.pause(True)
        for actor in self.actors:
            if actor.work is hog or self.rng.random() < 0.5:
                self.kill(actor)
        everybody = self.fixed + self.actors + [user for one in self.chips for user in one.users]
        self.see_out(everybody, "does not end")
        self.fixed, self.actors = [], []
        for one in self.chips:
            one.users = []

    def see_out(self, actors, otherwise):
        """Waits for ends that have to come."""
        until = time.monotonic() + LIMIT
        for actor in actors:
            while not actor.has_ended():
                if time.monotonic() > until:
                    self.wrong.append(f"{actor.name} {otherwise}")
                    actor.kill()
                    actor.wait()
                select.select([], [], [], 0.01)
            self.judge(actor)

    def kill(self, actor):
        if not actor.has_ended():
            actor.kill()
            self.row.add("clients_killed")

    def judge(self, actor):
        if actor.failed():
            self.wrong.append(f"{actor.name} ended with {actor.end}")

    # What happens.

    def look_after(self):
        """Those who should be there are, and nobody has failed."""
        for actor in self.fixed:
            if actor.has_ended():
                self.wrong.append(f"{actor.name} ended by itself, with {actor.end}")
        for actor in [actor for actor in self.actors if actor.has_ended()]:
            self.row.add("clients_ended")
            self.replace(actor)
        for one in self.chips:
            self.use(one)
            for actor in [user for user in one.users if user.has_ended()]:
                self.judge(actor)

    def shoot(self):
        """A client is killed, whatever it is doing."""
        actor = self.rng.choice(self.actors)
        self.kill(actor)
        actor.wait()
        self.replace(actor)

    def replace(self, actor):
        """Another one of its kind comes for who has ended."""
        self.actors.remove(actor)
        self.judge(actor)
        if actor.work is hog:
            self.actors.append(self.start(hog, HOG_USER))
        else:
            self.join_mob(actor.work)

    def change(self):
        """A parameter gets another value."""
        name = self.rng.choice(list(PARAMETERS))
        module.set_parameter(name, self.rng.choice(PARAMETERS[name]))
        self.row.add("parameters")

    def reload(self):
        """The module goes, and comes back with other parameters; in between, the C driver serves."""
        with contextlib.suppress(OSError):
            module.unload()
            self.wrong.append("the module was unloaded although its node was open")
        self.row.add("unloads_refused")
        self.end()
        self.leftovers("before the module is unloaded")
        self.unload()
        with tss.Tpm() as tpm:
            tss.Key(tpm, b"C driver").check()
        module.load(self.file, f"idle_ms={self.rng.choice(IDLE_AT_LOAD)}")
        self.row.add("loads")
        self.begin()

    def unload(self):
        """Whoever was killed a moment ago may still be closing."""
        until = time.monotonic() + LIMIT
        while True:
            try:
                module.unload()
                self.row.add("unloads")
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EBUSY) or time.monotonic() > until:
                    raise
            select.select([], [], [], 0.02)

    def plug(self):
        """A chip more; or one less, whatever it is doing."""
        if not chips.are_possible():
            return
        if any(not one.is_known() for one in self.chips):
            # Of two that come at once nobody could tell which is which.
            return
        if len(self.chips) < CHIPS:
            self.chips.append(chips.Chip())
            return
        one = self.rng.choice(self.chips)
        if one.users:
            self.pull(one)

    def pull(self, one):
        one.pull()
        self.chips.remove(one)
        self.row.add("unplugs")
        self.see_out(one.users, "does not notice that its chip is gone")

    def suspend(self):
        """A program that is a TPM may be frozen before those who wait for it, who then cannot be. Not so without."""
        if not sleep.is_possible():
            return
        if all(one.users for one in self.chips):
            refused = self.sleep()
            if not refused:
                self.row.add("suspends")
                return
            self.row.add("suspends_refused")
        for one in list(self.chips):
            self.pull(one)
        refused = self.sleep()
        if refused:
            self.wrong.append(f"a suspend was refused: {errno.errorcode[refused]}")
        self.row.add("suspends")

    def sleep(self):
        """Those who have something in the TPM without us have to know: it loses that."""
        self.row.add("sleeps_begun")
        refused = sleep.suspend()
        self.row.add("sleeps_over")
        return refused

    def event(self):
        """Each thing happens in each round, in another order: kills and parameters most often."""
        if not self.deck:
            self.deck = [self.shoot] * 12 + [self.change] * 4 + [self.plug] * 2 + [self.suspend, self.reload]
            self.rng.shuffle(self.deck)
        self.deck.pop()()

    def run(self, seconds):
        sleep.arrange()
        if shutil.which("modprobe"):
            subprocess.run(["modprobe", "-q", "trusted"], check=False)
        with tss.Tpm() as tpm:
            others.keep(tpm, tpm.primary())
        self.seals = others.can_seal()
        until = time.monotonic() + seconds
        try:
            self.begin()
            # At least one round of everything, also in a short torture.
            while not self.wrong and (time.monotonic() < until or self.deck or not self.rounds()):
                select.select([], [], [], self.rng.random() * NAP)
                self.look_after()
                self.event()
        finally:
            self.stop()

    def rounds(self):
        return self.row.value("loads")

    def stop(self):
        self.end()
        for one in list(self.chips):
            one.pull()
            self.chips.remove(one)
        with tss.Tpm() as tpm:
            others.keep(tpm, others.PERSISTENT)
        self.leftovers("in the end")
        self.take_every_number()

    def leftovers(self, when):
        """What is in the TPM when nobody has anything open: nothing, but sessions that were saved and left."""
        with runner.raw() as raw:
            found = tss.left_behind(raw)
        del found["saved sessions"]
        if any(found.values()):
            self.wrong.append(f"there are {found} {when}")

    def take_every_number(self):
        """Sessions that were saved and left are taken when they are needed, and then all numbers can be had."""
        for name, value in {"kernel_reserve": 0, "max_sessions_per_user": NUMBERS, "session_policy": "fail",
                            "session_lease_ms": LEASE, "session_wait_ms": 3 * LEASE}.items():
            module.set_parameter(name, value)
        # Below the fair share, each user's are his own to take.
        for user in MOB_USERS:
            with users.opened(user) as tpm:
                take(tpm)
        with tss.Tpm() as tpm:
            found = take(tpm)
        if found != NUMBERS:
            self.wrong.append(f"only {found} of {NUMBERS} sessions can be had in the end")
        with runner.raw() as raw:
            found = tss.left_behind(raw)
        if any(found.values()):
            self.wrong.append(f"the TPM is not empty in the end: {found}")

    def missing(self):
        """What should have happened in every torture, and did not."""
        wanted = set(NAMES) - set(MATTERS_OF_CHANCE)
        if not self.unlucky:
            wanted.discard("allocations_failed")
        if not sleep.is_possible():
            wanted -= {"suspends", "sleeps_begun", "sleeps_over"}
        if not chips.are_possible():
            wanted -= {"plugs", "unplugs", "chip_commands", "random_bytes"}
        if not self.seals:
            wanted.discard("trusted_keys")
        return sorted(name for name in wanted if not self.ledger.total(name))

    def summary(self):
        return ", ".join(f"{name} {self.ledger.total(name)}" for name in NAMES)
