"""`telecine config` and `telecine openapi`: what this installation is made of."""

import json

import typer
from pydantic import BaseModel, SecretStr

from telecine import settings
from telecine.log import MASK, masked
from telecine.settings import Settings


def show(**flags: object) -> None:
    """Print every setting as `NAME=value`, below the line that explains it."""
    effective = settings.load(**flags)
    for number, (name, field) in enumerate(Settings.model_fields.items()):
        lead = "\n" if number else ""
        typer.echo(f"{lead}# {field.description}")
        for variable, value in _values(settings.environment_name(name), getattr(effective, name)):
            typer.echo(f"{variable}={value}")


def _values(variable: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, BaseModel):
        return [
            pair
            for name in type(value).model_fields
            for pair in _values(f"{variable}__{name.upper()}", getattr(value, name))
        ]
    return [(variable, _shown(variable, value))]


def _shown(variable: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        # Which server is no secret, and what one wants to know.
        return masked(value.get_secret_value()) if variable == "DATABASE_URL" else MASK
    if isinstance(value, tuple):
        return ",".join(str(each) for each in value)
    return str(value)


def show_openapi() -> None:
    """Print the OpenAPI document, without a database or a data folder."""
    from telecine.processes import application  # noqa: PLC0415 - `config` needs no server

    typer.echo(json.dumps(application.document(), indent=2))
