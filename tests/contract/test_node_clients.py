from pathlib import Path

import httpx
import pytest

from tests.contract import packages
from tests.contract.conftest import Tenant, accepted

pytestmark = pytest.mark.node

SCRIPTS = Path(__file__).parent / "node"


@pytest.mark.parametrize(
    ("package", "version", "script"),
    [
        ("@api.video/nodejs-client", "2.6.8", "walk_client.cjs"),
        ("@api.video/nodejs-client", "2.1.1", "walk_client.cjs"),
        ("@api.video/nodejs-sdk", "1.10.4", "walk_sdk.cjs"),
        ("@api.video/nodejs-sdk", "2.0.1", "walk_sdk.cjs"),
    ],
)
def test_the_life_of_a_video(
    base_url: str,
    operator: httpx.Client,
    tenant: Tenant,
    clip: Path,
    image: Path,
    package: str,
    version: str,
    script: str,
) -> None:
    settings = f"/_/projects/{tenant.project_id}/settings"
    accepted(operator.patch(settings, json={"videoRestore": True}))
    node = packages.node_program("node")
    folder = packages.node_package(package, version)
    argv = [node, SCRIPTS / script, folder, version, base_url, tenant.key, clip, image]
    packages.run(argv, env=packages.node_environment())
