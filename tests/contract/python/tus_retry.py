"""An upload of `tuspy` that tries again by itself: run with the client's path.

`python tus_retry.py BASE_URL API_KEY FILE [CHUNK_BYTES]` prints the URL of the upload. With
an upload token behind a colon (`:to…`) in the place of the key it has no key.
"""

import base64
import sys

from tusclient.client import TusClient

base_url, key, path = sys.argv[1:4]
chunk_size = int(sys.argv[4]) if sys.argv[4:] else 5 * 1024 * 1024
if key.startswith(":"):
    headers, metadata = {}, {"filename": "tuspy.mp4", "token": key[1:]}
else:
    credentials = base64.b64encode(f"{key}:".encode()).decode()
    headers, metadata = {"Authorization": f"Basic {credentials}"}, {"filename": "tuspy.mp4"}
client = TusClient(f"{base_url}/tus/", headers=headers)
uploader = client.uploader(
    path, chunk_size=chunk_size, metadata=metadata, retries=480, retry_delay=0.5
)
uploader.upload()
assert uploader.offset == uploader.get_file_size()
sys.stdout.write(f"{uploader.url}\n")
