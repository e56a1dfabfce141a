import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.contract import packages
from tests.contract.conftest import Tenant

WALK = Path(__file__).parent / "python" / "walk.py"


def walk(base_url: str, key: str, wanted: str, files: list[Path], client: Path | None) -> None:
    environment = dict(os.environ)
    if client is not None:
        environment["PYTHONPATH"] = str(client)
    packages.run(
        [sys.executable, WALK, base_url, key, wanted, *files], env=environment, limit_s=150
    )


def test_the_newest_client(base_url: str, tenant: Tenant, clip: Path, image: Path) -> None:
    walk(base_url, tenant.key, version("api.video"), [clip, image], None)


@pytest.mark.parametrize("wanted", ["1.3.0", "1.2.8", "1.2.0"])
def test_clients_that_refuse_what_they_do_not_know(
    base_url: str, tenant: Tenant, clip: Path, image: Path, wanted: str
) -> None:
    walk(base_url, tenant.key, wanted, [clip, image], packages.python_client(wanted))
