"""What viewers can watch of an event in one quality, and who is told of it."""

import asyncio
from collections.abc import Callable, Iterable

from telecine.live.model import Output
from telecine.live.window import Window

Sink = Callable[[Output], None]
"""Takes what is packaged, at once and without waiting: its own queue is its own affair."""


class Rendition:
    """A window and its sinks. `gone` is set where it goes away before its event ends."""

    def __init__(self, name: str, window: Window) -> None:
        self.name = name
        self.window = window
        self.gone = asyncio.Event()
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
            for sink in tuple(self._sinks):
                sink(output)
