#!/usr/bin/env python3
"""Stands for compositor and browser: speaks the browser's protocol on descriptors 3 and 4. ``FOLDER/does`` says how it
behaves, read anew for each question; ``FOLDER/at`` holds the address it shows, ``FOLDER/started`` its command lines."""

import json
import os
import sys
from pathlib import Path
from typing import Any

folder = Path(os.environ["FOLDER"])
if sys.argv[1:] == ["-h"]:
    print((folder / "usage").read_text("utf-8") if (folder / "usage").exists() else "Usage: cage [-dhmsv]")
    sys.exit(0)

with (folder / "started").open("a", encoding="utf-8") as started:
    started.write(json.dumps(sys.argv[1:]) + "\n")
    started.flush()
(folder / "at").write_text(sys.argv[-1], "utf-8")


def answer(message: dict[str, Any]) -> dict[str, Any]:
    does = (folder / "does").read_text("utf-8").split()
    method = message["method"]
    if method == "Target.getTargets":
        return {"targetInfos": [] if "starts" in does else [{"type": "page", "targetId": "t"}]}
    if method == "Target.attachToTarget":
        return {"sessionId": "s"}
    if method == "Page.navigate":
        (folder / "at").write_text(message["params"]["url"], "utf-8")
        return {}
    at = (folder / "at").read_text("utf-8")
    lost = "lost" in does or "/screen/" not in at
    return {"result": {"value": "" if lost else "/screen/" + at.rpartition("/")[2] + "/now"}}


waiting = b""
while more := os.read(3, 65536):
    *whole, waiting = (waiting + more).split(b"\0")
    for text in whole:
        does = (folder / "does").read_text("utf-8").split()
        if "ends" in does:
            sys.exit(1)
        if "mute" in does:
            continue
        message = json.loads(text)
        os.write(4, json.dumps({"method": "Target.event", "params": {}}).encode() + b"\0")
        os.write(4, json.dumps({"id": message["id"], "result": answer(message)}).encode() + b"\0")
