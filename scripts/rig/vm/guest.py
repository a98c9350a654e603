# SPDX-License-Identifier: GPL-2.0
"""One run of a guest, from its boot to its verdict. Works in the rig's namespaces."""

import json
import os
import selectors
import shlex
import socket
import subprocess
import sys
import time

from .. import namespace, say
from . import initramfs, report, terminal
from .tpm import Tpm, wait_for

# Statuses that are not the command's, as of other programs that run programs.
FAILED = 125
# Seconds until the guest's init must have spoken; a boot in thirty hangs.
BOOT_LIMIT = {"kvm": 15, "tcg": 120}
# Seconds that a guest gets to finish its words after a report of its kernel.
LAST_WORDS = 5
PORTS = ("status", "out", "err")
# What QEMU's monitor is told.
CAPABILITIES = b'{"execute": "qmp_capabilities"}\n'
WAKE = b'{"execute": "system_wakeup"}\n'


def boot_limit(options):
    """The same for one guest: the debug kernel looks at all that it does."""
    return BOOT_LIMIT[options.accelerator] * options.patience


class NoBoot(Exception):
    """The guest's init never spoke: the kernel did not say why, or died on the way there."""


class Guest:
    """A machine with its root, TPM and ports."""

    def __init__(self, root, options, lower):
        self.root = root
        self.options = options
        self.text = ""
        self.state = "booting"
        self.code = None
        self.taints = []
        self.pending = b""
        self.events = b""
        self.console = root.inside("/run/console.log")
        # It is read while QEMU may not have begun to write it.
        open(self.console, "wb").close()
        self.share_root(lower)
        self.tpm = None if options.tpm == "none" else Tpm(root, options.tpm_log, options.tpm_delay)
        disk = self.root_in_memory() if options.root == "memory" else self.root_by_virtiofs()
        self.ends = {}
        self.start_machine(*disk)

    def share_root(self, lower):
        """The guest's root: the same overlay idea once more, with the shared folders in it."""
        top = self.root.overlay("guest", lower)
        for folder in self.options.folders:
            self.root.show(folder, top)
        rig = os.path.join(top, ".rig")
        os.mkdir(rig)
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "init")
        with open(source) as file, open(os.path.join(rig, "init"), "w") as copy:
            copy.write(file.read())
        os.chmod(os.path.join(rig, "init"), 0o755)
        with open(os.path.join(rig, "settings"), "w") as file:
            file.write(self.settings())
        os.mkdir(self.root.inside("/guest"))
        namespace.bind(top, self.root.inside("/guest"))

    def settings(self):
        """The guest's half of the options, as shell variables."""
        options = self.options
        # A tmpfs must not hide a shared folder, and is no use where all is in memory.
        used = [path for path in ("/run", "/tmp") if options.root == "virtiofs"
                and not any((folder + "/").startswith(path + "/") for folder in options.folders)]
        return "".join(f"{name}={value}\n" for name, value in {
            "DIRECTORY": shlex.quote(options.directory),
            "COMMAND": f"({shlex.join(options.command)})",
            "MODULE": shlex.quote(options.module),
            "PARAMETERS": f"({shlex.join(options.parameters)})",
            "NETWORK": "1" if options.forward else "",
            "TTY": "1" if options.tty else "",
            # A virtio port does not wake up: a write to it waits for ever.
            "SERIAL": shlex.quote(" ".join(PORTS)) if options.root == "memory" else "",
            "TMPFS": shlex.quote(" ".join(used)),
        }.items())

    def root_in_memory(self):
        """The kernel's and the machine's arguments for a root that is no device."""
        image = "/run/initramfs.cpio"
        initramfs.make(self.root, self.root.inside("/guest"), self.options.folders, self.options.programs, image)
        # The other firmware wakes a machine by a new boot. A boot image would have page tables of five levels, and
        # KASAN takes them for four while the kernel looks at its processor.
        return "rdinit=/.rig/init no5lvl", ["-bios", "bios-256k.bin", "-initrd", image]

    def root_by_virtiofs(self):
        """The same for all of the rig's root."""
        path = "/run/virtiofs.sock"
        self.virtiofsd_log = self.root.inside("/run/virtiofsd.log")
        with open(self.virtiofsd_log, "wb") as log:
            process = self.root.popen(
                ["/usr/libexec/virtiofsd", f"--socket-path={path}", "--shared-dir=/guest",
                 "--sandbox=none", "--announce-submounts", "--cache=auto"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        wait_for(self.root.inside(path), process, "virtiofsd")
        return "rootfstype=virtiofs root=root rw init=/.rig/init", [
            "-bios", "qboot.rom",
            "-chardev", f"socket,id=root,path={path}", "-device", "vhost-user-fs-pci,chardev=root,tag=root"]

    def start_machine(self, root, devices):
        options = self.options
        accelerator = ["-accel", "kvm", "-cpu", "host"] if options.accelerator == "kvm" else [
            "-accel", "tcg,thread=multi", "-cpu", "max"]
        # The emulator does not see that virtiofsd writes to a page whose old contents it has
        # translated, and would execute those: every page has to be written by the kernel first.
        append = (f"console=ttyS0 {root} quiet loglevel=5 "
                  "panic=-1 watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60 init_on_alloc=1 "
                  "kunit.enable=1 kunit.autorun=1")
        append = " ".join([append, *options.append])
        argv = ["qemu-system-x86_64", *accelerator, "-smp", "2", "-m", "2G", "-machine", "q35",
                "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-kernel", options.image, "-append", append,
                "-object", "memory-backend-memfd,id=memory,size=2G,share=on",
                "-numa", "node,memdev=memory",
                *devices,
                "-object", "rng-random,id=random,filename=/dev/urandom",
                "-device", "virtio-rng-pci,rng=random",
                "-chardev", "file,id=console,path=/run/console.log",
                "-serial", "chardev:console",
                "-device", "virtio-serial-pci,max_ports=8"]
        if self.tpm is not None:
            argv += ["-chardev", f"socket,id=tpm,path={self.tpm.socket}",
                     "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                     "-device", f"tpm-{options.tpm},tpmdev=tpm0"]
        passed = []
        for number, port in enumerate((*PORTS, *(["tty"] if options.tty else [])), 1):
            ours, theirs = socket.socketpair()
            self.ends[port] = ours
            passed.append(theirs)
            argv += ["-chardev", f"socket,id={port},fd={theirs.fileno()}", "-device",
                     f"virtconsole,chardev={port},nr=0" if port == "tty" else
                     f"isa-serial,chardev={port},index={number}" if options.root == "memory" else
                     f"virtserialport,chardev={port},name={port},nr={number}"]
        if options.root == "memory":
            arguments, theirs = self.monitor()
            argv += arguments
            passed.append(theirs)
        if options.forward:
            argv += ["-netdev", "user,id=net,restrict=on,"
                     f"hostfwd=tcp:127.0.0.1:{options.forward}-:{options.forward}",
                     "-device", "virtio-net-pci,netdev=net,romfile="]
        self.machine = self.root.popen(
            argv, pass_fds=[end.fileno() for end in passed], stdin=subprocess.DEVNULL,
        )
        for end in passed:
            end.close()

    def monitor(self):
        """A way to talk to the machine itself, which wakes it when it sleeps; its arguments, and its end."""
        ours, theirs = socket.socketpair()
        ours.sendall(CAPABILITIES)
        self.ends["machine"] = ours
        return ["-chardev", f"socket,id=machine,fd={theirs.fileno()}", "-mon", "chardev=machine,mode=control"], theirs

    def run(self):
        """Boots and runs the command; returns the exit status of the whole run."""
        began = time.monotonic()
        boot = began + boot_limit(self.options)
        last = began + self.options.timeout
        words = None
        with selectors.DefaultSelector() as selector, terminal.Raw(self.options.tty) as raw:
            for port, end in self.ends.items():
                selector.register(end, selectors.EVENT_READ, port)
            if raw.active:
                selector.register(sys.stdin, selectors.EVENT_READ, "keys")
            while self.state != "done" and selector.get_map():
                for key, _ in selector.select(timeout=0.5):
                    if not self.relay(key.data):
                        selector.unregister(key.fileobj)
                now = time.monotonic()
                if self.state == "booting" and now > boot:
                    break
                if words is None and self.fatal():
                    words = now + LAST_WORDS
                if words is not None and now > words:
                    break
                if now > last:
                    say.line(f"error: the guest ran for {self.options.timeout:.0f} s: ended it")
                    break
            self.end(selector)
        return self.verdict()

    def relay(self, port):
        """Moves what is there on a port; False when its other end is closed."""
        if port == "keys":
            self.ends["tty"].sendall(os.read(0, 4096))
            return True
        try:
            data = self.ends[port].recv(65536)
        except ConnectionResetError:
            data = b""
        if port == "status":
            self.hear(data)
        elif port == "machine":
            self.watch(data)
        else:
            write(2 if port == "err" else 1, data)
        return bool(data)

    def hear(self, data):
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            word, _, value = line.decode(errors="replace").partition(" ")
            if word == "up":
                self.state = "up"
            elif word == "exit":
                self.code = int(value)
            elif word == "unloadable":
                say.line(f"error: {self.options.module} cannot be loaded")
                self.code = FAILED
            elif word == "tainted":
                # A kernel without sysctl does not tell.
                self.taints = report.taints(int(value or 0))
            elif word == "done":
                self.state = "done"

    def watch(self, data):
        """A machine that sleeps is woken at once."""
        *lines, self.events = (self.events + data).split(b"\n")
        for line in lines:
            if json.loads(line).get("event") == "SUSPEND":
                self.ends["machine"].sendall(WAKE)

    def log(self):
        with open(self.console, "rb") as file:
            return file.read().decode(errors="replace")

    def fatal(self):
        """Whether the kernel has said something after which the guest need not go on."""
        return "Kernel panic" in self.log()

    def end(self, selector):
        """Ends the machine, which keeps nothing, and takes what is still in the ports."""
        self.machine.kill()
        self.machine.wait()
        for key in list(selector.get_map().values()):
            while key.data != "keys" and self.relay(key.data):
                pass

    def verdict(self):
        log = self.log()
        if self.options.console:
            with open(self.options.console, "w") as file:
                file.write(log)
        # Nothing of ours has run yet. An emulated machine does that once in a while.
        if self.state == "booting" and self.fatal():
            raise NoBoot(log)
        reports = report.find(log)
        if reports or self.taints:
            say.line(f"error: the guest's kernel made {len(reports)} reports"
                     + "".join(f"; {taint}" for taint in self.taints))
            for lines in reports:
                print("\n".join(f"  {line}" for line in lines), file=sys.stderr)
            return self.code or FAILED
        if self.state == "booting":
            raise NoBoot(log)
        if self.code is None:
            say.line("error: the guest ended without a status; the end of its console:")
            print("\n".join(log.splitlines()[-20:]), file=sys.stderr)
            return FAILED
        return self.code


def write(number, data):
    while data:
        data = data[os.write(number, data):]
