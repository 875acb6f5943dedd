"""Stops the supervisor of its job, or the host, once or again and again, and goes on until it is ended."""

import os
import signal
import sys
import time


def parent(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def name(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


what, how, _marker = sys.argv[1:]
chain = [os.getpid()]
while name(chain[-1]) != "callboard":
    chain.append(parent(chain[-1]))
victim = chain[{"host": -2, "supervisor": -3}[what]]
if os.fork():
    time.sleep(1000)
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    os.kill(victim, signal.SIGSTOP)
    time.sleep(1000 if how == "once" else 0.001)
