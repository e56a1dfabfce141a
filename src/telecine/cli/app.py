"""All commands and their options; what they do is in the modules that they import."""

# ruff: noqa: PLC0415 - commands import what they need when they run: `serve` has two
# seconds to be ready, and no other command shall wait for the server's imports.

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from telecine import __version__
from telecine.cli.upload.wishes import Options, Wait, Wishes

app = typer.Typer(
    name="telecine",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, secrets among them
    add_completion=False,
)
projects = typer.Typer(no_args_is_help=True, help="Projects of the running installation.")
keys = typer.Typer(no_args_is_help=True, help="API keys of a project.")
app.add_typer(projects, name="projects")
app.add_typer(keys, name="keys")
signing_keys = typer.Typer(no_args_is_help=True, help="Keys with which servers sign URLs.")
app.add_typer(signing_keys, name="signing-keys")
analytics = typer.Typer(no_args_is_help=True, help="What was watched.")
app.add_typer(analytics, name="analytics")

Data = Annotated[
    Path | None, typer.Option(help="Data folder (TELECINE_DATA, else ./telecine-data).")
]
Host = Annotated[str | None, typer.Option(help="Address to listen on (TELECINE_HOST).")]
Port = Annotated[int | None, typer.Option(help="HTTP port (TELECINE_PORT, else 8080).")]
Server = Annotated[
    str | None, typer.Option("--server", help="Base URL of the API (else the settings' one).")
]
Project = Annotated[
    str | None, typer.Option("--project", help="Id of the project (else the only one).")
]


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"telecine {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """A self-hosted video platform, drop-in for api.video."""


@app.command()
def serve(context: typer.Context, data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run everything on this machine: database, API, workers, live streams."""
    from telecine.cli import running

    running.serve("serve", context.obj, data=data, host=host, port=port)


@app.command()
def api(context: typer.Context, data: Data = None, host: Host = None, port: Port = None) -> None:
    """Run API processes only; needs DATABASE_URL."""
    from telecine.cli import running

    running.serve("api", context.obj, data=data, host=host, port=port)


@app.command()
def worker(context: typer.Context, data: Data = None) -> None:
    """Run worker processes only; needs DATABASE_URL."""
    from telecine.cli import running

    running.serve("worker", context.obj, data=data)


@app.command()
def live(context: typer.Context, data: Data = None, host: Host = None) -> None:
    """Run the process of live streams only; needs DATABASE_URL."""
    from telecine.cli import running

    running.serve("live", context.obj, data=data, host=host)


@app.command()
def demo(context: typer.Context, data: Data = None, host: Host = None, port: Port = None) -> None:
    """Start everything in ./telecine-demo, upload a clip, print its URLs, stay up."""
    from telecine.cli import demo as demonstration

    demonstration.run(context.obj, data=data, host=host, port=port)


@app.command()
def upload(  # noqa: PLR0913, PLR0917 - these are its options
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, and folders with media at any depth.", exists=True),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="URL that the server shall fetch; repeatable.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title (else the file's name).")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tag of the videos; repeatable.")] = None,
    folder: Annotated[
        bool, typer.Option("--folder", help="Tag the videos with the name of their folder.")
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Of folders, only what matches (`*.mov`), media or not; repeatable."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="API key (else TELECINE_API_KEY).")] = None,
    token: Annotated[str | None, typer.Option(help="Upload token, instead of a key.")] = None,
    server: Server = None,
    part_size: Annotated[
        int, typer.Option(min=5, max=128, help="MiB; smaller files go in one request.")
    ] = 50,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Parts of a file at a time.")] = 4,
    no_resume: Annotated[
        bool, typer.Option("--no-resume", help="Begin anew, whatever was sent before.")
    ] = False,
    retry_for: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a server in trouble.")
    ] = 600,
    wait: Annotated[
        Wait | None,
        typer.Option(help="Stay until videos are this (else `encoded`, with a token `playable`)."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a video.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open the player page.")] = False,
) -> None:
    """Upload videos and print their URLs as soon as they can be played.

    Stopped uploads go on where they ended when the same command is given again.
    """
    from telecine.cli.upload import command

    options = Options(
        title=title,
        tags=tag or (),
        tag_folder=folder,
        part_bytes=part_size << 20,
        parallel=parallel,
        resume=not no_resume,
    )
    wishes = Wishes(options=options, wait=wait, json=json, open_page=open_, retry_for_s=retry_for)
    access = command.access(server, key, token)
    command.run(access, paths or [], wishes, sources=source or [], include=include or [])


@app.command()
def doctor(
    data: Data = None,
    fsck: Annotated[
        bool, typer.Option("--fsck", help="Compare the database's rows with the store's objects.")
    ] = False,
) -> None:
    """Check whether this machine can run Telecine, and what is wrong if not."""
    from telecine.cli import doctor as checkup

    checkup.run(data=data, fsck=fsck)


@app.command()
def config(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Print every setting with its value; secrets are masked."""
    from telecine.cli import configuration

    configuration.show(data=data, host=host, port=port)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of this release."""
    from telecine.cli import configuration

    configuration.show_openapi()


@projects.command("list")
def list_projects(data: Data = None, server: Server = None) -> None:
    """List the projects."""
    from telecine.cli import operating

    operating.list_projects(operating.connect(data, server))


@projects.command("create")
def create_project(
    name: Annotated[str, typer.Argument(help="Its name.")], data: Data = None, server: Server = None
) -> None:
    """Create a project with a key for production and one for sandbox."""
    from telecine.cli import operating

    operating.create_project(operating.connect(data, server), name)


@projects.command("suspend")
def suspend_project(project_id: str, data: Data = None, server: Server = None) -> None:
    """Refuse all requests of a project; nothing is deleted."""
    from telecine.cli import operating

    operating.suspend_project(operating.connect(data, server), project_id, suspended=True)


@projects.command("resume")
def resume_project(project_id: str, data: Data = None, server: Server = None) -> None:
    """Serve a suspended project again."""
    from telecine.cli import operating

    operating.suspend_project(operating.connect(data, server), project_id, suspended=False)


@projects.command("settings")
def project_settings(
    project: Project = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=JSON",
            help="Change one, such as 'allowedReferrers=[\"shop.example\"]'; null: its default.",
        ),
    ] = None,
    data: Data = None,
    server: Server = None,
) -> None:
    """Print the settings of a project, after changing those that are given."""
    from telecine.cli import operating

    operating.settings_of(operating.connect(data, server), project, set_ or ())


@keys.command("list")
def list_keys(project: Project = None, data: Data = None, server: Server = None) -> None:
    """List the keys of a project."""
    from telecine.cli import operating

    operating.list_keys(operating.connect(data, server), project)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What it is for.")] = "API key",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="For the sandbox.")] = False,
    project: Project = None,
    data: Data = None,
    server: Server = None,
) -> None:
    """Create an API key and print it, once."""
    from telecine.cli import operating

    environment = "sandbox" if sandbox else "production"
    operating.create_key(operating.connect(data, server), project, name, environment)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="Its id, as `keys list` shows it.")],
    project: Project = None,
    data: Data = None,
    server: Server = None,
) -> None:
    """Revoke an API key; it acts within a second."""
    from telecine.cli import operating

    operating.revoke_key(operating.connect(data, server), project, key_id)


@signing_keys.command("list")
def list_signing_keys(project: Project = None, data: Data = None, server: Server = None) -> None:
    """List the signing keys of a project."""
    from telecine.cli import operating

    operating.list_signing_keys(operating.connect(data, server), project)


@signing_keys.command("create")
def create_signing_key(
    name: Annotated[str, typer.Option(help="What it is for.")] = "Signing key",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="For the sandbox.")] = False,
    project: Project = None,
    data: Data = None,
    server: Server = None,
) -> None:
    """Create a signing key and print its id and its secret, once."""
    from telecine.cli import operating

    environment = "sandbox" if sandbox else "production"
    operating.create_signing_key(operating.connect(data, server), project, name, environment)


@signing_keys.command("delete")
def delete_signing_key(
    key_id: Annotated[str, typer.Argument(help="Its id, as `signing-keys list` shows it.")],
    project: Project = None,
    data: Data = None,
    server: Server = None,
) -> None:
    """Delete a signing key; URLs that it has signed end within a second."""
    from telecine.cli import operating

    operating.delete_signing_key(operating.connect(data, server), project, key_id)


@analytics.command("export")
def export_analytics(
    format_: Annotated[
        Literal["csv", "jsonl", "parquet"], typer.Option("--format", help="Form of the output.")
    ] = "csv",
    table: Annotated[
        Literal["playbacks", "events"], typer.Option("--of", help="What a line is of.")
    ] = "playbacks",
    from_: Annotated[
        datetime | None, typer.Option("--from", help="Loaded at this time (UTC) or later.")
    ] = None,
    to: Annotated[datetime | None, typer.Option(help="Loaded before this time (UTC).")] = None,
    project: Annotated[str | None, typer.Option(help="Id of a project (else all).")] = None,
    data: Data = None,
) -> None:
    """Print what was watched, one line or row for each playback or event, in no order."""
    from telecine.cli import exporting

    exporting.run(table, format_, (from_, to), project, data=data)
