// Waits until all bytes of a video are there, for versions of `@api.video/nodejs-sdk` that do
// not tell so. `untilUploaded(videos, videoId, baseUri, apiKey)` gives its `ingest`.
'use strict';

const assert = require('node:assert/strict');
const { setTimeout: pause } = require('node:timers/promises');

const UPLOADED_WITHIN_MS = 60_000;

async function ingestOf(videos, videoId, baseUri, apiKey) {
  if (videos.getStatus) return (await videos.getStatus(videoId)).ingest;
  const { access_token: token } = await fetch(`${baseUri}/auth/api-key`, {
    method: 'POST',
    body: JSON.stringify({ apiKey }),
  }).then((reply) => reply.json());
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${baseUri}/videos/${videoId}/status`, { headers }).then((r) => r.json()))
    .ingest;
}

async function untilUploaded(videos, videoId, baseUri, apiKey) {
  const deadline = Date.now() + UPLOADED_WITHIN_MS;
  for (;;) {
    const ingest = await ingestOf(videos, videoId, baseUri, apiKey);
    if (ingest?.status === 'uploaded') return ingest;
    assert.ok(Date.now() < deadline, JSON.stringify(ingest));
    await pause(100); // as applications of this client do
  }
}

module.exports = { untilUploaded };
