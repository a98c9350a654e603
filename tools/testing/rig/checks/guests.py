# SPDX-License-Identifier: GPL-2.0
"""Guests: what they see, what comes back from them, and that no report of theirs is missed.

A boot of an emulated machine takes a while, so what one boot tells is asked once.
"""

import atexit
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from harness import LIMIT, TREE, command, equal, says, scratch, script, write
from rig import kernel, root

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAILED = 125
RANDOM = struct.pack(">HIIH", 0x8001, 12, 0x17B, 8)


@dataclasses.dataclass
class Facts:
    """What guest-facts told, and what the host saw of that guest."""

    share: str
    status: int = 0
    told: dict = dataclasses.field(default_factory=dict)
    text: str = ""
    errors: str = ""
    answer: bytes = b""
    log: str = ""


@functools.lru_cache
def facts():
    """One boot with nearly every option."""
    with scratch() as share:
        found = Facts(share)
        write(f"{share}/from-host", "hello\n")
        port = str(free_port())
        caller = threading.Thread(target=call, args=(found, port))
        caller.start()
        done = command(script("vm"), "--driver=c", "--tpm=tis", f"--tpm-log={share}/tpm.log", f"--share={share}",
                       f"--forward={port}", "--", "./guest-facts", share, port, "a b", "c'd", cwd=HERE)
        write(f"{share}/done", "")
        caller.join()
        first, _, found.text = done.stdout.partition("\n")
        found.told = json.loads(first)
        found.status, found.errors = done.returncode, done.stderr
        with open(f"{share}/tpm.log") as file:
            found.log = file.read()
        return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def call(found, port):
    """Uses the guest's node from here, once it is served."""
    until = time.monotonic() + LIMIT
    while not os.path.exists(f"{found.share}/serving"):
        if os.path.exists(f"{found.share}/done") or time.monotonic() > until:
            return
        time.sleep(0.1)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 30) as tpm:
        tpm.settimeout(30)
        tpm.sendall(RANDOM)
        found.answer = tpm.recv(100)
    write(f"{found.share}/done", "")


def rig_guest_passes_the_status_on():
    equal(facts().status, 37, "the status")


def rig_guest_runs_the_command_as_root_in_this_folder():
    told = facts().told
    equal((told["folder"], told["user"]), (HERE, 0), "the folder and the user")
    equal(told["arguments"], ["a b", "c'd"], "the arguments")
    equal(told["stdin"], "", "standard input")


def rig_guest_is_the_stock_kernel():
    equal(facts().told["release"], kernel.get(root.path()).release, "the kernel's release")


def rig_guest_output_comes_back_whole():
    text = "0123456789abcdef" * 65536
    equal(len(facts().text), len(text) + 1, "the length of standard output")
    equal(facts().text, text + "\n", "standard output")
    says(facts().errors, hashlib.sha256(text.encode()).hexdigest())


def rig_guest_cannot_change_the_root():
    assert not os.path.exists(f"{root.path()}/etc/tpmrm-was-here"), "the cached root was changed"


def rig_guest_sees_shared_folders():
    equal(facts().told["shared"], "hello\n", "what the guest read")


def rig_guest_has_the_c_driver_when_asked():
    equal(facts().told["module"], False, "whether the module is loaded")
    equal(facts().told["nodes"], ["/dev/tpm0", "/dev/tpmrm0"], "the nodes")


def rig_guest_has_the_interface_that_was_asked_for():
    equal(facts().told["interface"], "tpm_tis", "the driver of the TPM")


def rig_guest_node_is_reachable_from_the_host():
    answer = facts().answer
    equal((len(answer), answer[:10]), (20, struct.pack(">HII", 0x8001, 20, 0)), "the answer")


def rig_guest_tpm_log_has_every_command():
    # Once for the host; the kernel asks for other lengths.
    wanted = " ".join(f"{byte:02X}" for byte in RANDOM)
    equal(facts().log.count(wanted), 1, "the commands of the host in the log")
    assert facts().log.count("SWTPM_IO_Read") > 10, "the log lacks the kernel's own commands"


@functools.lru_cache
def trouble():
    """A module that makes trouble, built for the stock kernel; the folder stays until the end."""
    folder = tempfile.mkdtemp(prefix="tpmrm-")
    atexit.register(shutil.rmtree, folder)
    shutil.copytree(os.path.join(HERE, "trouble"), folder, dirs_exist_ok=True)
    done = command(script("inside"), f"--share={folder}", "--", "sh", "-c",
                   f'exec make -s -C "$TPMRM_KDIR" $TPMRM_MAKE M={folder} modules')
    assert done.returncode == 0, f"the module does not build: {done.stderr[-300:]}"
    return folder


@functools.lru_cache
def troubled():
    """A guest whose command ends well, and whose kernel warns and has a task that hangs."""
    folder = trouble()
    steps = ("cat /sys/module/trouble/parameters/what /sys/module/trouble/parameters/seconds; rmmod trouble; "
             "echo 1 > /proc/sys/kernel/hung_task_timeout_secs; "
             f"insmod {folder}/trouble.ko what=hang seconds=8; echo well")
    return command(script("vm"), f"--module={folder}/trouble.ko", "--param=what=warn", "--param=seconds=3",
                   "--tpm=none", f"--share={folder}", "--", "sh", "-c", steps)


def rig_guest_gives_parameters_to_the_module():
    equal(troubled().stdout.split(), ["warn", "3", "well"], "what the command says")


def rig_guest_that_warns_fails():
    equal(troubled().returncode, FAILED, "the status of a command that ended well")
    says(troubled().stderr, "WARNING:", "trouble was asked for", "trouble_init", "the kernel has warned")


def rig_guest_with_a_hung_task_fails():
    says(troubled().stderr, "blocked for more than 1 seconds", "made 2 reports")


def rig_guest_whose_module_is_refused_fails():
    folder = trouble()
    done = command(script("vm"), f"--module={folder}/trouble.ko", "--param=what=refuse", "--tpm=none",
                   f"--share={folder}", "--", "echo", "ran")
    equal((done.returncode, done.stdout), (FAILED, ""), "the status and the output")
    says(done.stderr, "trouble.ko cannot be loaded", "Invalid")


def rig_guest_that_panics_fails():
    done = command(script("vm"), "--driver=c", "--", "sh", "-c", "echo before; echo c > /proc/sysrq-trigger; sleep 100")
    equal(done.returncode, FAILED, "the status")
    says(done.stderr, "Kernel panic")
    equal(done.stdout, "before\n", "the output")


def rig_guest_in_memory_sleeps_and_hides_nothing():
    folder = trouble()
    steps = "echo before; echo mem > /sys/power/state; cat /sys/power/suspend_stats/success; echo after"
    done = command(script("vm"), "--root=memory", f"--module={folder}/trouble.ko", "--param=what=warn", "--tpm=none",
                   f"--share={HERE}", "--", "bash", "-c", steps, cwd=HERE)
    equal(done.stdout, "before\n1\nafter\n", "the output")
    equal(done.returncode, FAILED, "the status of a command that ended well")
    says(done.stderr, "WARNING:", "trouble was asked for")


def rig_guest_that_takes_too_long_is_ended():
    done = command(script("vm"), "--driver=c", "--timeout=25", "--", "sleep", "1000")
    equal(done.returncode, FAILED, "the status")
    says(done.stderr, "ran for 25 s")


def descendants(pid):
    """The processes that a process has started, and those that they have."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = [int(child) for child in file.read().split()]
    found = list(children)
    for child in children:
        with contextlib.suppress(OSError):
            found += descendants(child)
    return found


def names(pids):
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
            found[pid] = file.read().strip()
    return found


def ended_by(number):
    """What a guest's program ends with when it is sent a signal, and the processes that it leaves."""
    process = subprocess.Popen([script("vm"), "--driver=c", "--", "sleep", "1000"], cwd=TREE, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not any(name.startswith("qemu") for name in names(descendants(process.pid)).values()):
        assert process.poll() is None and time.monotonic() < until, "no machine was started"
        time.sleep(0.1)
    started = names(descendants(process.pid))
    process.send_signal(number)
    status = process.wait(60)
    until = time.monotonic() + 20
    while (left := {pid: name for pid, name in names(started).items() if name == started[pid]}) \
            and time.monotonic() < until:
        time.sleep(0.1)
    return status, left


def rig_guest_that_is_ended_leaves_nothing():
    equal(ended_by(signal.SIGTERM), (143, {}), "the status and what is left after an end that was asked for")
    equal(ended_by(signal.SIGKILL), (-signal.SIGKILL, {}), "those after a kill")
