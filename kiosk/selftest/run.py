"""Going through the steps: each once, in order, kept on disk. A reboot or a pulled plug costs one step at most."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from kiosk.guard.words import Pair
from kiosk.selftest import power
from kiosk.selftest.bench import Bench
from kiosk.selftest.report import write
from kiosk.selftest.step import Beginning, CannotTell, Result, Step, judged
from kiosk.selftest.words import RUN, STEPS, StepWords
from sync.durable import replace_durably

PROGRESS = "progress.json"
REPORT = "first-hour.zip"
Ended = Literal["over", "paused", "stopped"]
"""All was gone through; a step goes on over a boot; the person had enough for now."""

log = logging.getLogger("selftest")


class Progress(msgspec.Struct, kw_only=True):
    """What is done, by the steps' names. Written after each step."""

    begun: str = ""
    results: dict[str, Result] = {}


def load(folder: Path) -> Progress:
    """What earlier runs did; a missing or broken file is a beginning."""
    try:
        return msgspec.json.decode((folder / PROGRESS).read_bytes(), type=Progress)
    except (OSError, msgspec.MsgspecError):
        return Progress(begun=_now())


class Run:
    """One going-through. ``say`` prints a line."""

    def __init__(self, bench: Bench, steps: Iterable[Step], say: Callable[[str], None], keeps: bool = True) -> None:
        self._bench = bench
        self._steps = list(steps)
        self._say = say
        self._keeps = keeps
        self.progress = load(bench.folder) if keeps else Progress(begun=_now())

    def forget(self, names: Iterable[str]) -> None:
        """Do these again (by name, or by kind for every lane)."""
        wanted = set(names)
        for name in [name for name in self.progress.results if name in wanted or name.partition(":")[0] in wanted]:
            del self.progress.results[name]

    def go(self, finish: bool = False) -> Ended:
        """Every step that is not done yet. Long ones are begun; with ``finish`` they alone are measured."""
        try:
            for step in self._steps:
                if finish and not step.long:
                    continue
                before = self.progress.results.get(step.name)
                if before is not None and before.final:
                    self._say(f"{before.verdict:8} {step.name} (done before)")
                    continue
                ended = self._begin(step) if step.long and not finish else self._one(step)
                if ended != "over":
                    return ended
        finally:
            self._bench.restore()
        if finish:
            return self._finish()
        return "over"

    def _finish(self) -> Ended:
        """No watcher from now on, unless a long step needs more time."""
        if all(self.progress.results[step.name].final for step in self._steps if step.long):
            power.remove(self._bench)
            return "over"
        self._bench.person.tell(RUN["day_goes_on"])
        return "paused"

    def _begin(self, step: Step) -> Ended:
        self._titled(step)
        missing = self._missing(step)
        if not missing and step.beginning:
            step.beginning.begin(self._bench)
        begun = Result(verdict="skipped", why=[missing or "measured by --finish, after a day"], at=_now(), final=False)
        self._keep(step, begun)
        return "over"

    def _one(self, step: Step) -> Ended:
        """Ask, measure, ask, judge; the whole of one step."""
        words = self._titled(step)
        missing = self._missing(step)
        if missing:
            return self._skip(step, missing, final=False)
        if step.running:
            self._bench.restore()
        waiting = step.beginning if step.beginning and not step.beginning.ready(self._bench) else None
        so_far = waiting.so_far(self._bench) if waiting else ""
        if so_far:
            self._say(f"    {so_far}")
        if words.ask and (step.beginning is None or waiting):
            answer = self._bench.person.ask(words.ask)
            if answer == "stop":
                return "stopped"
            if answer == "nobody":
                return self._skip(step, "nobody was there to ask", final=False)
            if answer in ("skip", "no") and not so_far:
                return self._skip(step, "skipped by the person", final=True)
            if waiting and answer == "done":
                return self._wait(step, waiting)
        self._measure(step, words)
        return "over"

    def _wait(self, step: Step, beginning: Beginning) -> Ended:
        self._keep(step, Result(verdict="skipped", why=["begun; goes on over a boot"], at=_now(), final=False))
        self._bench.person.tell(RUN["again"])
        beginning.begin(self._bench)
        return "paused"

    def _measure(self, step: Step, words: StepWords) -> None:
        began = self._bench.clock()
        try:
            saw = json.loads(json.dumps(step.measure(self._bench), default=str))  # a camera's controls are anything
            result = judged(saw, step.judge(saw))
        except CannotTell as err:
            self._skip(step, str(err), final=False)
            return
        except Exception as err:  # whatever one step does, the others are to be seen
            log.exception("step=%s failed", step.name)
            result = Result(verdict="not held", why=[f"{type(err).__name__}: {err}"])
        took = round(self._bench.clock() - began, 1)
        if words.look:
            result = _with_look(result, self._bench.person.ask(words.look))
        if words.after:
            self._bench.person.tell(words.after)
        self._keep(step, msgspec.structs.replace(result, at=_now(), took_s=took))

    def _skip(self, step: Step, why: str, final: bool) -> Ended:
        self._keep(step, Result(verdict="skipped", why=[why], at=_now(), final=final))
        return "over"

    def _missing(self, step: Step) -> str:
        return next(filter(None, (need(self._bench) for need in step.needs)), "")

    def _keep(self, step: Step, result: Result) -> None:
        self.progress.results[step.name] = result
        words = self._words(step)
        if result.saw:
            self._say(f"    saw       {shortly(result.saw)}")
            self._say(f"    expected  {words.expected[1]} / {words.expected[0]}")
        self._say(f"    {result.verdict.upper()}{': ' if result.why else ''}{'; '.join(result.why)}")
        if self._keeps:
            replace_durably(self._bench.folder / PROGRESS, msgspec.json.encode(self.progress))

    def _titled(self, step: Step) -> StepWords:
        words = self._words(step)
        self._say(f"\n{step.name}: {words.title[1]} / {words.title[0]}")
        return words

    def _words(self, step: Step) -> StepWords:
        return filled(STEPS[step.kind], self._title(step.lane))

    def _title(self, lane: str) -> Pair:
        section = next((section for section in self._bench.config.lane if section.name == lane), None)
        return self._bench.config.title(section) if section else ("", "")

    def report(self, path: Path) -> None:
        """The one file to send. Raises OSError."""
        write(path, self.progress.begun, self.progress.results, self._bench.folder)

    @property
    def held(self) -> bool:
        """Nothing was seen that did not hold."""
        return all(result.verdict != "not held" for result in self.progress.results.values())


def filled(words: StepWords, lane: Pair) -> StepWords:
    """The words with the lane's title in each language."""
    zh, en = lane
    titled = (one and (one[0].format(lane=zh), one[1].format(lane=en)) for one in words)
    return StepWords._make(titled)


def shortly(saw: object) -> str:
    """Figures in a line or two of a terminal; the report has them whole."""
    text = json.dumps(saw, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:397]}..."


def _with_look(result: Result, answer: str) -> Result:
    said = {"done": "yes", "no": "no"}.get(answer, "not said")
    wrong = [*result.why, *(["the person says no"] if said == "no" else [])]
    return judged(result.saw | {"person": said}, wrong)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
