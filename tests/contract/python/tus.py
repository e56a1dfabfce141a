"""An upload of `tuspy` that stops in the middle and goes on: run with the client's path.

`python tus.py BASE_URL API_KEY FILE` prints the URL of the upload.
"""

import base64
import sys

from tusclient.client import TusClient

base_url, key, path = sys.argv[1:]
credentials = base64.b64encode(f"{key}:".encode()).decode()
client = TusClient(f"{base_url}/tus/", headers={"Authorization": f"Basic {credentials}"})
chunk_size = 5 * 1024 * 1024

begun = client.uploader(
    path, chunk_size=chunk_size, metadata={"filename": "tuspy.mp4"}, upload_checksum=True
)
begun.upload_chunk()
assert begun.url is not None
assert 0 < begun.offset < begun.get_file_size()

resumed = client.uploader(path, url=begun.url, chunk_size=chunk_size, upload_checksum=True)
assert resumed.offset == begun.offset, "the server knows how far it was"
resumed.upload()
assert resumed.offset == resumed.get_file_size()
sys.stdout.write(f"{begun.url}\n")
