"""`telecine projects`, `keys` and `signing-keys`: the operator API of a running installation."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from telecine import settings
from telecine.processes.exits import CannotGoOn, Exit

KEY_FILE = "operator.key"
_TIMEOUT_S = 30.0
_PAGE = 100


class Operator:
    """The operator API, with the operator's key."""

    def __init__(self, base_url: str, key: str) -> None:
        self._client = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT_S,
            trust_env=False,  # a proxy would see the key
        )

    def ask(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of an answer, None if it has none.

        Raises:
            CannotGoOn: the server is not there, or refuses.
        """
        try:
            reply = self._client.request(method, f"/_{path}", **options)
        except httpx.TransportError as error:
            msg = f"There is no server at {self._client.base_url}: {error}. Is it running?"
            raise CannotGoOn(Exit.SERVER_UNREACHABLE, msg) from error
        if reply.is_error:
            raise CannotGoOn(Exit.FAILED, refusal(reply))
        return reply.json() if reply.content else None

    def only_project(self) -> str:
        """Return the id of the project, if there is one only.

        Raises:
            CannotGoOn: there are several.
        """
        found = self.ask("GET", "/projects")["data"]
        if len(found) != 1:
            msg = "There are several projects: name one with --project (`telecine projects list`)."
            raise CannotGoOn(Exit.USAGE, msg)
        return str(found[0]["projectId"])


def refusal(reply: httpx.Response) -> str:
    """Return what an error answer says, for a person."""
    try:
        problem = reply.json()
    except ValueError:
        return f"the server answered {reply.status_code}"
    words = [problem.get("title"), problem.get("detail"), problem.get("name")]
    return f"{reply.status_code}: " + " ".join(str(word) for word in words if word)


def known_key(effective: settings.Settings) -> str | None:
    """Return the operator key of the installation that the settings name, if it is known."""
    if effective.operator_key is not None:
        return effective.operator_key.get_secret_value()
    try:
        return (effective.data / KEY_FILE).read_text().strip()
    except OSError:
        return None


def connect(data: Path | None, server: str | None) -> Operator:
    """Return the operator API of the installation that the settings name.

    Raises:
        CannotGoOn: there is no operator key.
    """
    effective = settings.load(data=data)
    if effective.operator_key is not None:
        key = effective.operator_key.get_secret_value()
    else:
        path = effective.data / KEY_FILE
        try:
            key = path.read_text().strip()
        except OSError as error:
            msg = (
                f"No operator key: {path} cannot be read ({error.strerror}). Run this where "
                "`telecine serve` runs, give its --data, or set TELECINE_OPERATOR_KEY."
            )
            raise CannotGoOn(Exit.FAILED, msg) from error
    return Operator(server or effective.api_url, key)


def list_projects(operator: Operator) -> None:
    """Print all projects."""
    rows: list[dict[str, Any]] = []
    page = 1
    while True:
        query = {"currentPage": page, "pageSize": _PAGE}
        found = operator.ask("GET", "/projects", params=query)
        rows += found["data"]
        if page >= found["pagination"]["pagesTotal"]:
            break
        page += 1
    _print(
        ("id", "name", "created", "state"),
        [
            (
                row["projectId"],
                row["name"],
                row["createdAt"],
                "suspended" if row["suspended"] else "open",
            )
            for row in rows
        ],
    )


def create_project(operator: Operator, name: str) -> None:
    """Create a project and a key for each environment; print them once."""
    project = operator.ask("POST", "/projects", json={"name": name})
    typer.echo(f"Project          {project['projectId']}")
    for environment in ("production", "sandbox"):
        key = _create_key(operator, project["projectId"], "First key", environment)
        typer.echo(f"{environment.capitalize() + ' key':16} {key}")


def suspend_project(operator: Operator, project_id: str, *, suspended: bool) -> None:
    """Close or open a project."""
    operator.ask("PATCH", f"/projects/{project_id}", json={"suspended": suspended})


def settings_of(operator: Operator, project_id: str | None, changes: Iterable[str]) -> None:
    """Change settings, each given as `name=JSON`, and print them all.

    Raises:
        CannotGoOn: a change is not of that form, or the server refuses it.
    """
    path = _of_project(operator, project_id, "settings")
    changed = dict(_setting(change) for change in changes)
    found = operator.ask("PATCH", path, json=changed) if changed else operator.ask("GET", path)
    typer.echo(json.dumps(found, indent=2))


def _setting(change: str) -> tuple[str, Any]:
    name, _, value = change.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        msg = f"{change}: give NAME=JSON, such as hlsFormat='\"ts\"' or videoRestore=true."
        raise CannotGoOn(Exit.USAGE, msg) from None


def list_keys(operator: Operator, project_id: str | None) -> None:
    """Print the keys of a project, without their secrets."""
    found = operator.ask("GET", _of_project(operator, project_id, "keys"))
    _print(
        ("id", "name", "environment", "ends with", "state"),
        [
            (
                row["apiKeyId"],
                row["name"],
                row["environment"],
                row["lastCharacters"],
                "revoked" if row["revokedAt"] else "valid",
            )
            for row in found["data"]
        ],
    )


def create_key(operator: Operator, project_id: str | None, name: str, environment: str) -> None:
    """Create a key and print it, alone on its line for scripts."""
    typer.echo(_create_key(operator, project_id, name, environment))


def revoke_key(operator: Operator, project_id: str | None, key_id: str) -> None:
    """Revoke a key."""
    operator.ask("DELETE", _of_project(operator, project_id, f"keys/{key_id}"))


def list_signing_keys(operator: Operator, project_id: str | None) -> None:
    """Print the signing keys of a project, without their secrets."""
    found = operator.ask("GET", _of_project(operator, project_id, "signing-keys"))
    _print(
        ("id", "name", "environment", "created"),
        [
            (row["signingKeyId"], row["name"], row["environment"], row["createdAt"])
            for row in found["data"]
        ],
    )


def create_signing_key(
    operator: Operator, project_id: str | None, name: str, environment: str
) -> None:
    """Create a signing key and print its id and its secret, on one line for scripts."""
    body = {"name": name, "environment": environment}
    made = operator.ask("POST", _of_project(operator, project_id, "signing-keys"), json=body)
    typer.echo(f"{made['signingKeyId']} {made['secret']}")


def delete_signing_key(operator: Operator, project_id: str | None, key_id: str) -> None:
    """Delete a signing key, and with it all URLs that it has signed."""
    operator.ask("DELETE", _of_project(operator, project_id, f"signing-keys/{key_id}"))


def _of_project(operator: Operator, project_id: str | None, what: str) -> str:
    return f"/projects/{project_id or operator.only_project()}/{what}"


def _create_key(operator: Operator, project_id: str | None, name: str, environment: str) -> str:
    body = {"name": name, "environment": environment}
    return str(operator.ask("POST", _of_project(operator, project_id, "keys"), json=body)["apiKey"])


def _print(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    # As wide as it needs: ids must not be cut when the output is piped.
    console = Console(width=None if Console().is_terminal else 1000)
    console.print(table)
