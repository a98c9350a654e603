#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Keeps one descriptor of the node, and lets others use it, one after the other.

    broker.py SOCKET

Whoever connects sends commands and gets responses. Unlike with tpm-forward,
what a client leaves in the descriptor is there for the next one.
"""

import errno
import os
import socket
import sys

NODE = "/dev/tpmrm0"
LARGEST = 4096


def serve(client, node):
    # A TSS sends a command as a whole, and waits for the response.
    while command := client.recv(LARGEST):
        while len(command) < int.from_bytes(command[2:6], "big"):
            command += client.recv(LARGEST)
        os.write(node, command)
        client.sendall(os.read(node, LARGEST))


def main():
    node = os.open(NODE, os.O_RDWR | os.O_CLOEXEC)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("ready", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    serve(client, node)
                except OSError as error:
                    print(errno.errorcode.get(error.errno, error), file=sys.stderr, flush=True)


main()
