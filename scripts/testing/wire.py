"""A wire between this machine and a network namespace that loses, delays or slows down packets.

    python3 wire.py NAMESPACE NEAR FAR

creates a TUN device on either side, with these addresses, and forwards packets between them. Each line of standard
input is a JSON object that changes the wire: {"delay": seconds, "loss": 0 to 1, "cut": "none" | "in" | "out" | "both",
"rate": bytes per second, 0 for no limit}. "in" is towards this machine. At the end of standard input, it exits, which
removes the devices.
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MAX_QUEUED_BYTES = 256 * 1024


def open_tun(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def run(*command):
    subprocess.run(command, check=True)


class Direction:
    """Packets in flight to one side."""

    def __init__(self, target):
        self.target = target
        self.queue = []
        self.count = 0
        self.bytes = 0
        self.free_at = 0.0

    def add(self, packet, wire, now):
        if random.random() < wire["loss"] or self.bytes > MAX_QUEUED_BYTES:
            return
        due = now
        if wire["rate"] > 0:
            self.free_at = max(self.free_at, now) + len(packet) / wire["rate"]
            due = self.free_at
        self.count += 1
        self.bytes += len(packet)
        heapq.heappush(self.queue, (due + wire["delay"], self.count, packet))

    def deliver(self, now):
        while self.queue and self.queue[0][0] <= now:
            packet = heapq.heappop(self.queue)[2]
            self.bytes -= len(packet)
            try:
                os.write(self.target, packet)
            except OSError:
                pass


def main():
    namespace, near, far = sys.argv[1:]
    # Device names have at most 15 characters.
    names = [f"{namespace[-12:]}-{side}" for side in ("n", "f")]
    here, there = (open_tun(name) for name in names)
    run("ip", "addr", "add", near, "peer", far, "dev", names[0])
    run("ip", "link", "set", names[0], "up")
    run("ip", "link", "set", names[1], "netns", namespace)
    inside = ("ip", "-n", namespace)
    run(*inside, "addr", "add", far, "peer", near, "dev", names[1])
    run(*inside, "link", "set", names[1], "up")
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "route", "add", "default", "dev", names[1])
    wire = {"delay": 0.0, "loss": 0.0, "cut": "none", "rate": 0}
    inwards, outwards = Direction(here), Direction(there)
    print("ready", flush=True)
    while True:
        due = [direction.queue[0][0] for direction in (inwards, outwards) if direction.queue]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        ready, _, _ = select.select([0, here, there], [], [], timeout)
        now = time.monotonic()
        for source, direction, name in ((here, outwards, "out"), (there, inwards, "in")):
            if source not in ready:
                continue
            for _ in range(64):
                try:
                    packet = os.read(source, 65536)
                except BlockingIOError:
                    break
                if wire["cut"] not in (name, "both"):
                    direction.add(packet, wire, now)
        if 0 in ready:
            line = sys.stdin.buffer.raw.readline()
            if not line:
                return
            wire.update(json.loads(line))
            print("changed", flush=True)
        inwards.deliver(now)
        outwards.deliver(now)


main()
