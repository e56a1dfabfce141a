from pathlib import Path

import pytest

from telecine.storage.bucket import BucketStore
from telecine.storage.local import LocalStore
from telecine.storage.open import open_store
from telecine.storage.store import StoreError


@pytest.mark.parametrize(
    ("url", "root"),
    [("file:///srv/media", "/srv/media"), ("file:///a%20b", "/a b"), ("file://localhost/m", "/m")],
)
def test_folders(url: str, root: str) -> None:
    store = open_store(url, {})
    assert isinstance(store, LocalStore)
    assert store.root == Path(root)


def test_buckets() -> None:
    store = open_store("s3://bucket/prefix", {"AWS_ACCESS_KEY_ID": "k"})
    assert isinstance(store, BucketStore)
    assert store.local_path("a") is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize("url", ["", "media", "/srv/media", "ftp://x/y", "s3://", "file://host/m"])
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="not the URL of a store"):
        open_store(url, {})
