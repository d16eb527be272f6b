"""Counts how often a line rises and falls until SIGTERM: python3 edges.py VALUE-FILE COUNTS-FILE.

An output line cannot be watched for events by another program, so its level is sampled about once a millisecond.
"""

import signal
import sys
import time
from pathlib import Path

value, counts = Path(sys.argv[1]), Path(sys.argv[2])
running = True


def stop(*_: object) -> None:
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
rose = fell = 0
level = value.read_text().strip()
counts.write_text("watching")
while running:
    now = value.read_text().strip()
    rose += level == "0" and now == "1"
    fell += level == "1" and now == "0"
    level = now
    time.sleep(0.001)
counts.write_text(f"rose {rose}, fell {fell}")
