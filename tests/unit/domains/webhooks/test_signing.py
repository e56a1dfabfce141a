import hmac
from uuid import UUID

from telecine.domains.webhooks import signing

# The vector of api.video's guide.
KEY = "sig_sec_0000000000000000000000"
PAYLOAD = {
    "type": "video.encoding.quality.completed",
    "emittedAt": "2021-01-29T15:46:25.217Z",
    "videoId": "vi0000000000000000000000",
    "liveStreamId": "li0000000000000000000000",
    "encoding": "hls",
    "quality": "720p",
}
SIGNATURE = "27a77d3a7fc626854886b5dbfae4e32c8b0170c1ea1b714c91ba77f1e7774e8c"


def test_the_signature_of_the_guide() -> None:
    assert signing.signature(KEY, signing.body_of(PAYLOAD)) == SIGNATURE


def test_the_body_is_compact_and_leaves_text_as_it_is() -> None:
    body = signing.body_of({"type": "x", "url": "https://a/b", "title": "Größe"})
    assert body == '{"type":"x","url":"https://a/b","title":"Größe"}'.encode()


def test_our_signature_covers_the_time() -> None:
    body = signing.body_of(PAYLOAD)
    signed = signing.timed_signature(KEY, body, 1_700_000_000)
    expected = hmac.digest(KEY.encode(), b"1700000000." + body, "sha256").hex()
    assert signed == f"t=1700000000,v1={expected}"
    assert signed != signing.timed_signature(KEY, body, 1_700_000_001)


def test_the_headers_of_an_attempt() -> None:
    body = signing.body_of(PAYLOAD)
    delivery, event = UUID(int=1), UUID(int=2)
    headers = signing.headers("webhook_1", delivery, event, KEY, body, 1_700_000_000)
    assert headers == {
        "content-type": "application/json",
        "x-api-video-webhookid": "webhook_1",
        "x-api-video-signature": SIGNATURE,
        "telecine-signature": signing.timed_signature(KEY, body, 1_700_000_000),
        "x-telecine-delivery": str(delivery),
        "x-telecine-event": str(event),
    }
