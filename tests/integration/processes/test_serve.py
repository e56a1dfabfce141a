"""One whole Telecine, seen from outside."""

import base64

import httpx

from tests.fixtures.server import TelecineServer
from tests.fixtures.waiting import PATIENCE_S, until_now


def authorization(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def test_it_is_ready_with_every_part(telecine_server: TelecineServer) -> None:
    checks = dict.fromkeys(("database", "schema", "worker", "storage"), "ok")

    def ready() -> bool:  # a worker of a busy machine may be late with its sign of life
        reply = httpx.get(f"{telecine_server.base_url}/readyz", timeout=PATIENCE_S)
        assert reply.json()["checks"].keys() == checks.keys()
        return bool(reply.json() == {"status": "ok", "checks": checks})

    until_now(ready)


def test_the_preset_keys_open_their_environments(telecine_server: TelecineServer) -> None:
    for key in (telecine_server.production_key, telecine_server.sandbox_key):
        reply = httpx.get(
            f"{telecine_server.base_url}/videos", headers=authorization(key), timeout=PATIENCE_S
        )
        assert reply.status_code == 200


def test_metrics_of_all_processes_are_on_loopback(telecine_server: TelecineServer) -> None:
    httpx.get(f"{telecine_server.base_url}/healthz", timeout=PATIENCE_S)

    def told() -> bool:  # an answer is counted a moment after it was given
        text = httpx.get(telecine_server.metrics_url, timeout=PATIENCE_S).text
        assert 'telecine_process_ready{process="worker-0"} 1.0' in text
        return 'telecine_http_requests_total{method="GET",route="/healthz",status="200"}' in text

    until_now(told)
