"""Prometheus metrics: each process writes files, the supervisor serves their sum."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from telecine.processes.child import KeptChild
from telecine.processes.exits import CannotGoOn, Exit

HOST = "127.0.0.1"


class Children(Collector):
    """What the supervisor itself knows."""

    def __init__(self, children: Sequence[KeptChild]) -> None:
        self._children = children

    def collect(self) -> Iterable[Metric]:
        """Tell which children serve, and how often they died."""
        ready = GaugeMetricFamily(
            "telecine_process_ready", "Whether a process serves.", labels=["process"]
        )
        restarts = CounterMetricFamily(
            "telecine_process_restarts", "Starts after a death.", labels=["process"]
        )
        for child in self._children:
            ready.add_metric([child.program.name], float(child.ready.is_set()))
            restarts.add_metric([child.program.name], child.restarts)
        yield from (ready, restarts)


def serve(port: int, folder: Path, children: Sequence[KeptChild]) -> Callable[[], None]:
    """Serve the metrics of all processes on loopback; return what ends it.

    Raises:
        CannotGoOn: the port is taken.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(Children(children))
    try:
        server, thread = start_http_server(port, HOST, registry)
    except OSError as error:
        msg = (
            f"Port {port} for metrics cannot be used ({os.strerror(error.errno or 0)}). "
            "Choose another with TELECINE_METRICS_PORT; 0 turns metrics off."
        )
        raise CannotGoOn(Exit.PORT_TAKEN, msg) from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end
