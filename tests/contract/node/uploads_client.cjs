// Every way to upload that a version of `@api.video/nodejs-client` has, in 5 MiB chunks:
// `node uploads_client.cjs PACKAGE_FOLDER VERSION BASE_URL API_KEY FOLDER`. The folder has
// `small.mp4`, `large.mp4` and that in parts, `large.mp4.part.a` to `c`. Prints, last, a
// line of JSON: which file became which video.
'use strict';

const assert = require('node:assert/strict');
const { statSync } = require('node:fs');
const path = require('node:path');

const [folder, version, baseUri, apiKey, files] = process.argv.slice(2);
const home = path.join(folder, 'node_modules', '@api.video', 'nodejs-client');
const ApiVideoClient = require(home);

const old = /^2\.[0-4]\./.test(version);
const chunkSize = 5 * 1024 * 1024;
const client = new ApiVideoClient({ apiKey, baseUri, chunkSize });
const { videos, uploadTokens } = client;
const made = {};

const file = (name) => path.join(files, name);
const parts = ['a', 'b', 'c'].map((part) => `large.mp4.part.${part}`);

async function check(video, name, title, chunks) {
  made[video.videoId] = name;
  assert.equal(video.title, title);
  assert.equal((await videos.get(video.videoId)).title, title);
  const { ingest } = await videos.getStatus(video.videoId);
  assert.equal(ingest.status, 'uploaded');
  assert.equal(ingest.filesize, statSync(file(name)).size);
  // 2.1 does not know which parts have arrived.
  if (chunks === undefined || /^2\.1\./.test(version)) return;
  const numbers = Array.from({ length: chunks }, (_, index) => index + 1);
  assert.deepEqual([...ingest.receivedParts.parts], numbers);
  assert.equal(ingest.receivedParts.total, chunks);
}

async function withKey() {
  for (const [name, chunks] of [['small.mp4'], ['large.mp4', 3]]) {
    const { videoId } = await videos.create({ title: `Key ${name}` });
    const video = await videos.upload(videoId, file(name));
    assert.equal(video.videoId, videoId);
    await check(video, name, `Key ${name}`, chunks);
  }
}

async function send(session) {
  for (const part of parts.slice(0, -1)) await session.uploadPart(file(part));
  return session.uploadLastPart(file(parts.at(-1)));
}

async function progressively() {
  const { videoId } = await videos.create({ title: 'Progressive' });
  const video = await send(videos.createUploadProgressiveSession(videoId));
  assert.equal(video.videoId, videoId);
  await check(video, 'large.mp4', 'Progressive', 3);
}

async function withToken() {
  const { token, ttl } = await uploadTokens.createToken({ ttl: 3600 });
  assert.equal(ttl, 3600);
  assert.equal((await uploadTokens.getToken(token)).token, token);
  const { data } = await uploadTokens.list({ pageSize: 1 });
  assert.deepEqual(data.map((one) => one.token), [token]);
  // Chunks without the id of their video: this client never sends it here.
  for (const [name, chunks] of [['small.mp4'], ['large.mp4', 3], ['large.mp4', 3]]) {
    await check(await videos.uploadWithUploadToken(token, file(name)), name, name, chunks);
  }
  const session = videos.createUploadWithUploadTokenProgressiveSession(token);
  await check(await send(session), 'large.mp4', parts[0], 3);
  await uploadTokens.deleteToken(token);
  const error = await videos.uploadWithUploadToken(token, file('small.mp4')).then(
    () => assert.fail('accepted'),
    (reason) => reason,
  );
  assert.equal(error.constructor.name, 'ApiVideoError', String(error.stack));
  assert.equal(error.code, 401);
  const problem = old && typeof error.problemDetails === 'string'
    ? JSON.parse(error.problemDetails) : error.problemDetails;
  assert.match(problem.type, /\/authentication-invalid-upload-token$/);
}

async function withoutKey() {
  // Old versions have no client without a key.
  if (old) return;
  const { token } = await uploadTokens.createToken({});
  const visitor = new ApiVideoClient({ baseUri, chunkSize });
  for (const [name, chunks] of [['small.mp4'], ['large.mp4', 3]]) {
    const video = await visitor.videos.uploadWithUploadToken(token, file(name));
    await check(video, name, name, chunks);
  }
}

(async () => {
  assert.equal(require(path.join(home, 'package.json')).version, version);
  await withKey();
  await progressively();
  await withToken();
  await withoutKey();
  console.log(JSON.stringify(made));
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
