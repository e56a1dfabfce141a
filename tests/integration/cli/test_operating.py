"""The commands that talk to a running installation."""

import json
import socket
import subprocess
from pathlib import Path

import httpx
import psycopg

from telecine import __version__, clock
from telecine.db import schema
from telecine.db.release import RELEASE
from telecine.domains.videos.signatures import sign
from telecine.processes.exits import Exit
from tests.fixtures.server import TelecineServer, running_telecine
from tests.fixtures.waiting import PATIENCE_S, until_now
from tests.integration.cli.conftest import Run


def lines(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    assert done.returncode == Exit.DONE, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def works(server: TelecineServer, key: str) -> bool:
    return httpx.get(f"{server.base_url}/videos", auth=(key, ""), timeout=PATIENCE_S).is_success


def test_a_project_from_its_making_to_its_end(run: Run, telecine_server: TelecineServer) -> None:
    made = lines(run("projects", "create", "A film school"))
    project, production, sandbox = (words[-1] for words in made)
    assert works(telecine_server, production)
    assert works(telecine_server, sandbox)
    assert project in [words[0] for words in lines(run("projects", "list"))]

    added = lines(run("keys", "create", "--project", project, "--name", "third"))[0][0]
    assert works(telecine_server, added)
    listed = lines(run("keys", "list", "--project", project))[1:]
    assert [words[-1] for words in listed] == ["valid"] * 3
    key_id = next(words[0] for words in listed if words[1] == "third")
    lines(run("keys", "revoke", key_id, "--project", project))
    states = [words[-1] for words in lines(run("keys", "list", "--project", project))[1:]]
    assert sorted(states) == ["revoked", "valid", "valid"]

    own = ("projects", "settings", "--project", project)
    sites = 'allowedReferrers=["shop.example"]'
    shown = json.loads(run(*own, "--set", sites, "--set", "videoRestore=true").stdout)
    assert (shown["allowedReferrers"], shown["videoRestore"]) == (["shop.example"], True)
    assert json.loads(run(*own).stdout) == shown
    assert json.loads(run(*own, "--set", "videoRestore=null").stdout)["videoRestore"] is None
    assert run(*own, "--set", "hlsFormat=ts").returncode == Exit.USAGE

    lines(run("projects", "suspend", project))
    row = next(w for w in lines(run("projects", "list")) if w[0] == project)
    assert row[-1] == "suspended"
    lines(run("projects", "resume", project))


def test_a_signing_key_signs_until_it_is_deleted(run: Run, telecine_server: TelecineServer) -> None:
    made = lines(run("projects", "create", "A shop"))
    project, production = made[0][-1], made[1][-1]
    own = ("--project", project)
    key_id, secret = lines(run("signing-keys", "create", "--name", "shop", *own))[0]
    lines(run("signing-keys", "create", "--name", "trials", "--sandbox", *own))
    listed = {words[0]: words[1:3] for words in lines(run("signing-keys", "list", *own))[1:]}
    assert listed[key_id] == ["shop", "production"]
    assert sorted(listed.values()) == [["shop", "production"], ["trials", "sandbox"]]
    assert secret not in run("signing-keys", "list", *own).stdout

    with httpx.Client(base_url=telecine_server.base_url, auth=(production, "")) as api:
        made_video = api.post("/videos", json={"title": "For members", "public": False})
        video_id = made_video.json()["videoId"]
        caption = {"file": ("en.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n")}
        assert api.post(f"/videos/{video_id}/captions/en", files=caption).status_code == 200
    token = sign(secret, video_id, f"{key_id}~{int(clock.now().timestamp()) + 300}~~")
    address = f"{telecine_server.base_url}/vod/{video_id}/token/{token}/captions/en.vtt"
    assert httpx.get(address).status_code == 200
    lines(run("signing-keys", "delete", key_id, *own))
    until_now(lambda: httpx.get(address).status_code != 200)
    assert run("signing-keys", "delete", key_id, *own).returncode == Exit.FAILED


def test_on_the_servers_machine_the_only_project_needs_neither_key_nor_name(
    run: Run, tmp_path: Path
) -> None:
    data = tmp_path / "own"
    with running_telecine(data, {"TELECINE_OPERATOR_KEY": ""}) as (_, server):
        here = {
            "TELECINE_DATA": str(data),
            "TELECINE_PUBLIC_URL": server.base_url,
            "TELECINE_OPERATOR_KEY": "",
        }
        (line,) = lines(run("keys", "create", "--sandbox", "--name", "only", **here))
        assert works(server, line[0])
        listed = lines(run("keys", "list", **here))
        (row,) = [words for words in listed if words[1] == "only"]
        assert (row[2], row[3]) == ("sandbox", line[0][-len(row[3]) :])
        assert line[0] not in run("keys", "list", **here).stdout


def test_of_several_projects_one_has_to_be_named(run: Run) -> None:
    lines(run("projects", "create", "One more"))
    refused = run("keys", "list")
    assert refused.returncode == Exit.USAGE
    assert "--project" in refused.stderr


def test_without_an_operator_key_it_says_where_one_would_be(run: Run, tmp_path: Path) -> None:
    refused = run("projects", "list", "--data", str(tmp_path), TELECINE_OPERATOR_KEY="")
    assert refused.returncode == Exit.FAILED
    assert str(tmp_path / "operator.key") in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_the_server_refuses_is_said(run: Run) -> None:
    refused = run("keys", "list", "--project", "prNobody")
    assert refused.returncode == Exit.FAILED
    assert "404" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_server_that_is_not_there_is_said(run: Run) -> None:
    refused = run("projects", "list", "--server", "http://127.0.0.1:1")
    assert refused.returncode == Exit.SERVER_UNREACHABLE
    assert "http://127.0.0.1:1" in refused.stderr


def test_a_wrong_operator_key_is_said(run: Run) -> None:
    refused = run("projects", "list", TELECINE_OPERATOR_KEY="not-the-key-of-this-server")
    assert refused.returncode == Exit.FAILED
    assert "401" in refused.stderr


def test_the_doctor_finds_a_running_server_sound(run: Run, telecine_server: TelecineServer) -> None:
    checked = run("doctor")

    def sound() -> bool:  # a worker of a busy machine may be late with its sign of life
        nonlocal checked
        checked = run("doctor") if checked.returncode else checked
        return checked.returncode == Exit.DONE

    until_now(sound)
    parts = {" ".join(words[1:3]): words[0] for words in lines(checked)}
    assert set(parts.values()) == {"ok"}
    assert f"ready at {telecine_server.base_url}" in checked.stdout
    assert "PostgreSQL 18" in checked.stdout
    sandbox = next(line for line in checked.stdout.splitlines() if line.split()[1] == "sandbox")
    for layer in ("namespaces", "landlock", "seccomp"):
        assert f"{layer}: " in sandbox
    worker = next(line for line in checked.stdout.splitlines() if line.split()[1] == "worker")
    assert f"version {__version__}" in worker
    assert socket.gethostname() in worker
    assert "2 probe" in worker
    sandbox = next(line for line in checked.stdout.splitlines() if line.split()[1] == "sandbox")
    layers = dict(layer.split(": ") for layer in sandbox.split(maxsplit=2)[2].split(", "))
    assert layers.keys() == {"landlock", "seccomp", "namespaces", "user"}
    assert layers["seccomp"] == "yes"


def test_the_doctor_misses_workers(run: Run, empty_database_url: str) -> None:
    schema.migrate(empty_database_url)
    checked = run("doctor", DATABASE_URL=empty_database_url)
    assert checked.returncode == Exit.FAILED
    assert ["fail", "worker"] in [line.split()[:2] for line in checked.stdout.splitlines()]


def test_the_doctor_names_what_is_wrong(run: Run, tmp_path: Path) -> None:
    checked = run(
        "doctor",
        "--data",
        str(tmp_path / "none"),
        TELECINE_PORT="0",
        TELECINE_FFMPEG="/nowhere/ffmpeg",
        DATABASE_URL="postgresql:///x?host=/nowhere",
        TELECINE_DISK_RESERVE_MIB="999999999",
    )
    assert checked.returncode == Exit.FAILED
    failed = [line.split()[1] for line in checked.stdout.splitlines() if line.split()[0] == "fail"]
    assert set(failed) == {"disk", "database", "ffmpeg", "sandbox"}


def test_the_doctor_names_what_others_have(
    run: Run, tmp_path: Path, empty_database_url: str
) -> None:
    """A port, a folder that is none, a database that a later program has migrated."""
    schema.migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE schema_release SET release = %s", [RELEASE + 2])
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        checked = run(
            "doctor",
            "--data",
            "/dev/null/data",
            TELECINE_PORT=str(port),
            TELECINE_STORAGE=f"file://{tmp_path / 'media'}",
            DATABASE_URL=empty_database_url,
        )
    assert checked.returncode == Exit.FAILED
    assert "Traceback" not in checked.stderr
    failed = [line for line in checked.stdout.splitlines() if line.split()[0] == "fail"]
    told = dict(line.split(maxsplit=2)[1:] for line in failed)
    assert f"Port {port} on 127.0.0.1 is in use" in told["port"]
    assert told["data"].strip().endswith("/dev/null cannot be written")
    assert "schema 9999 is too new for this release" in told["database"]


def test_the_api_document_is_the_servers(run: Run, telecine_server: TelecineServer) -> None:
    printed = run("openapi")
    assert printed.stdout
    assert (
        httpx.get(f"{telecine_server.base_url}/openapi.json", timeout=PATIENCE_S).json()
        == httpx.Response(200, text=printed.stdout).json()
    )


def test_what_was_watched_can_be_exported_beside_the_running_server(run: Run) -> None:
    done = run("analytics", "export", "--format", "csv", "--project", "nobody")
    assert done.returncode == Exit.DONE, done.stderr
    [head] = done.stdout.splitlines()
    assert head.startswith("project,environment,session_id,")
    times = ("--from", "2026-01-01", "--to", "2026-01-02T10:00:00")
    done = run("analytics", "export", "--format", "jsonl", "--of", "events", *times)
    assert (done.returncode, done.stdout) == (Exit.DONE, ""), done.stderr
    done = run("analytics", "export", "--format", "parquet", "--project", "nobody")
    assert done.returncode == Exit.DONE, done.stderr
    assert (done.stdout[:4], done.stdout[-4:]) == ("PAR1", "PAR1")
    assert run("analytics", "export", "--format", "orc").returncode == Exit.USAGE
