"""What viewers can watch of an event in one quality, and who is told of it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from telecine.live.model import Beside, Output, Part
from telecine.live.window import Window

Sink = Callable[[Output], None]
"""Takes what is packaged, at once and without waiting: its own queue is its own affair."""


class Rendition:
    """A window and its sinks. `gone` is set where it goes away before its event ends.

    `among`: the renditions of its event by name, this one among them.
    """

    def __init__(self, name: str, window: Window, among: Mapping[str, "Rendition"]) -> None:
        self.name = name
        self.window = window
        self.gone = asyncio.Event()
        self._among = among
        self._sinks: list[Sink] = [window.take]

    def add(self, sink: Sink) -> None:
        """Give a sink everything from now on."""
        self._sinks.append(sink)

    def remove(self, sink: Sink) -> None:
        """Give a sink nothing any more."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def leave(self, kept: Sink) -> None:
        """Go away: nobody but `kept` is told anything more, not even of the end."""
        self._sinks = [kept]
        self.gone.set()

    def give(self, outputs: Iterable[Output]) -> None:
        """Hand on what the packager made."""
        for output in outputs:
            told = output
            if len(self._among) > 1 and isinstance(output, Part):
                told = replace(output, beside=self._beside())
            for sink in tuple(self._sinks):
                sink(told)

    def _beside(self) -> tuple[Beside, ...]:
        """Return how far the others are that can be watched."""
        found = []
        for name, other in self._among.items():
            if other is not self and other.window.playable and not other.gone.is_set():
                last = other.window.segments[-1]
                found.append(Beside(name, last.msn, max(0, len(last.parts) - 1)))
        return tuple(found)
