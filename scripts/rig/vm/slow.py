#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A TPM that takes longer: stands between the machine and its swtpm, and waits before each command.

    slow.py SOCKET SWTPM-SOCKET MILLISECONDS

The machine opens SOCKET as it would swtpm's control channel. It hands over a
socket for the commands by SCM_RIGHTS; swtpm gets another one in its place.
Everything else passes as it is.
"""

import os
import select
import socket
import struct
import sys
import threading
import time

LARGEST = 65536
HEADER = struct.Struct(">HII")


def receive(stream, size):
    """So many bytes; fewer only at the end."""
    data = b""
    while len(data) < size:
        part = stream.recv(size - len(data))
        if not part:
            break
        data += part
    return data


def message(stream):
    """A whole command or response; nothing at the end."""
    header = receive(stream, HEADER.size)
    if len(header) < HEADER.size:
        return b""
    return header + receive(stream, HEADER.unpack(header)[1] - HEADER.size)


def commands(machine, tpm, delay):
    """Passes commands until either side is gone."""
    while True:
        command = message(machine)
        if not command:
            break
        time.sleep(delay)
        tpm.sendall(command)
        response = message(tpm)
        if not response:
            break
        machine.sendall(response)
    machine.close()
    tpm.close()


def control(machine, tpm, delay):
    """Passes the control channel, and puts itself into the channel of commands."""
    while True:
        for ready in select.select([machine, tpm], [], [])[0]:
            if ready is tpm:
                data = tpm.recv(LARGEST)
                if not data:
                    return
                machine.sendall(data)
                continue
            data, handles, _, _ = socket.recv_fds(machine, LARGEST, 1)
            if not data:
                return
            if not handles:
                tpm.sendall(data)
                continue
            ours, theirs = socket.socketpair()
            threading.Thread(target=commands, args=(socket.socket(fileno=handles[0]), ours, delay),
                             daemon=True).start()
            socket.send_fds(tpm, [data], [theirs.fileno()])
            theirs.close()


def main():
    path, behind, delay = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as tpm:
        tpm.connect(behind)
        # It is there when it can be connected to.
        server.bind(f"{path}.new")
        server.listen(1)
        os.rename(f"{path}.new", path)
        machine, _ = server.accept()
        with machine:
            control(machine, tpm, delay)


main()
