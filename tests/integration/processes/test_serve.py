"""One whole Telecine, seen from outside."""

import base64

import httpx

from tests.fixtures.server import TelecineServer


def authorization(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def test_it_is_ready_with_every_part(telecine_server: TelecineServer) -> None:
    reply = httpx.get(f"{telecine_server.base_url}/readyz")
    assert reply.json() == {
        "status": "ok",
        "checks": {"database": "ok", "schema": "ok", "worker": "ok", "storage": "ok"},
    }


def test_the_preset_keys_open_their_environments(telecine_server: TelecineServer) -> None:
    for key in (telecine_server.production_key, telecine_server.sandbox_key):
        reply = httpx.get(f"{telecine_server.base_url}/videos", headers=authorization(key))
        assert reply.status_code == 200


def test_metrics_of_all_processes_are_on_loopback(telecine_server: TelecineServer) -> None:
    httpx.get(f"{telecine_server.base_url}/healthz")
    text = httpx.get(telecine_server.metrics_url).text
    assert 'telecine_process_ready{process="worker-0"} 1.0' in text
    assert 'telecine_http_requests_total{method="GET",route="/healthz",status="200"}' in text
