"""The core as sync sees it: :class:`sync.agent.agent.CoreSide` over the socket between the two."""

from __future__ import annotations

from typing import TypeVar

from kiosk import channel as ch
from kiosk import verbs
from sync.agent.agent import CoreAway
from sync.protocol import Accepted, Acknowledged, EventBatch, EventsAfter, Signed, SyncState

Q = TypeVar("Q")
A = TypeVar("A")


class CoreOverSocket:
    """Every method raises CoreAway when the core cannot be asked just now; asking again is safe."""

    def __init__(self, client: ch.Client):
        self._client = client

    def _ask(self, verb: ch.Verb[Q, A], question: Q) -> A:
        try:
            return self._client.ask(verb, question)
        except ch.ChannelError as err:
            raise CoreAway(str(err)) from err

    def events_after(self, asked: EventsAfter) -> EventBatch:
        return self._ask(verbs.EVENTS, asked)

    def acknowledged(self, note: Acknowledged) -> None:
        self._ask(verbs.ACKNOWLEDGED, note)

    def report(self, state: SyncState) -> Accepted:
        return self._ask(verbs.SYNC_STATE, state)

    def nonce(self) -> bytes:
        return self._ask(verbs.NONCE, verbs.Nothing()).nonce

    def time(self, statement: Signed) -> Accepted:
        return self._ask(verbs.TIME, statement)
