"""What a process does instead of measuring, in a file that is quickly imported."""

import os
import time

from bench.device_parts import Begun, Circumstances, Peak


def dies(_order, parts, _ends, messages):
    """Its first case ends the process; its second goes on beyond its time."""
    messages.send(Circumstances("a classifier on a device", "a device", {"size": 64}))
    number = parts["moves"]
    if number == 0:
        messages.send(Begun("moves", "first", 0, time.time() + 100))
        messages.send(Peak("first", 1, None, None))
        os._exit(3)
    messages.send(Begun("moves", "second", number, time.time()))
    time.sleep(100)
