import os
import sys
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from tests.contract import packages
from tests.contract.conftest import MakeTenant, Tenant, accepted

WALK = Path(__file__).parent / "python" / "walk.py"
RESTORE = WALK.with_name("restore.py")
VIEWING = WALK.with_name("viewing.py")


def walk(base_url: str, key: str, wanted: str, files: list[Path], client: Path | None) -> None:
    environment = dict(os.environ)
    if client is not None:
        environment["PYTHONPATH"] = str(client)
    for program in (WALK, VIEWING):
        argv = [sys.executable, program, base_url, key, wanted, *files]
        packages.run(argv, env=environment)


def test_the_newest_client(base_url: str, tenant: Tenant, clip: Path, image: Path) -> None:
    walk(base_url, tenant.key, version("api.video"), [clip, image], None)


@pytest.mark.parametrize("wanted", ["1.3.0", "1.2.8", "1.2.0"])
def test_clients_that_refuse_what_they_do_not_know(
    base_url: str, tenant: Tenant, clip: Path, image: Path, wanted: str
) -> None:
    walk(base_url, tenant.key, wanted, [clip, image], packages.python_client(wanted))


def test_the_newest_client_on_what_older_ones_do_not_have(
    base_url: str, make_tenant: MakeTenant, operator: httpx.Client, image: Path
) -> None:
    tenant = make_tenant("newest client")
    settings = f"/_/projects/{tenant.project_id}/settings"
    accepted(operator.patch(settings, json={"videoRestore": True}))
    packages.run(
        [sys.executable, RESTORE, base_url, tenant.key, version("api.video"), image],
        env=dict(os.environ),
    )


def test_the_newest_client_tells_what_is_in_a_video(base_url: str, tenant: Tenant) -> None:
    packages.run([sys.executable, WALK.with_name("summaries.py"), base_url, tenant.key])
