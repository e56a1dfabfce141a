"""From a URL in the settings to a store."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from telecine.storage.bucket import BucketStore
from telecine.storage.local import LocalStore
from telecine.storage.store import Store, StoreError

if TYPE_CHECKING:  # these exist for type checkers only
    from obstore.store import ClientConfig, S3Config


def open_store(url: str, environment: Mapping[str, str], *, reserve_bytes: int = 0) -> Store:
    """Return the store at `file:///folder`, `s3://`, `gs://` or `az://bucket/prefix`.

    Credentials and endpoints of buckets come from the usual variables of
    `environment` (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …). A plain-HTTP endpoint
    is accepted when it is spelled out. `reserve_bytes`: what a local store leaves free.

    Raises:
        StoreError: the URL is none of these.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return LocalStore(Path(unquote(parts.path)), reserve_bytes)
    prefix = parts.path.strip("/") or None
    if not parts.netloc:
        raise StoreError(f"not the URL of a store: {url}")
    if parts.scheme == "s3":
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
        region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
        config: S3Config = {
            "region": region or "us-east-1",
            "virtual_hosted_style_request": endpoint is None,
        }
        if endpoint is not None:
            config["endpoint"] = endpoint
        # Absent ones are looked for where cloud machines have them.
        if "AWS_ACCESS_KEY_ID" in environment and "AWS_SECRET_ACCESS_KEY" in environment:
            config["access_key_id"] = environment["AWS_ACCESS_KEY_ID"]
            config["secret_access_key"] = environment["AWS_SECRET_ACCESS_KEY"]
        if "AWS_SESSION_TOKEN" in environment:
            config["session_token"] = environment["AWS_SESSION_TOKEN"]
        plain = endpoint is not None and endpoint.startswith("http://")
        options: ClientConfig = {"allow_http": plain}
        client = S3Store(parts.netloc, prefix=prefix, config=config, client_options=options)
        return BucketStore(client)
    if parts.scheme == "gs":
        return BucketStore(GCSStore(parts.netloc, prefix=prefix))
    if parts.scheme == "az":
        return BucketStore(AzureStore(parts.netloc, prefix=prefix))
    raise StoreError(f"not the URL of a store: {url}")
