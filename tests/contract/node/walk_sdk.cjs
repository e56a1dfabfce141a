// The life of a video, walked with the legacy `@api.video/nodejs-sdk`:
// `node walk_sdk.cjs PACKAGE_FOLDER VERSION BASE_URL API_KEY CLIP IMAGE`.
'use strict';

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const [folder, version, baseUri, apiKey, clip, image] = process.argv.slice(2);
const home = path.join(folder, 'node_modules', '@api.video', 'nodejs-sdk');
const { Client } = require(home);

const PLAYABLE_WITHIN_MS = 90_000;
// 2.0.1 is older than 1.10.4: its first call carries no credentials, and only a 401 with
// the exact media type makes it ask for a token; it rejects with bare responses.
const bare = version === '2.0.1';
const run = randomBytes(8).toString('hex');
const { videos } = new Client({ apiKey, baseUri });

async function refused(promise) {
  const error = await promise.then(
    () => assert.fail('accepted'),
    (reason) => reason,
  );
  if (!bare) {
    assert.equal(error.constructor.name, 'ApiVideoError', String(error.stack));
    assert.equal(error.message, error.problemDetails.title);
    assert.equal(error.code, error.problemDetails.status);
    return error.problemDetails;
  }
  assert.equal(error.headers['content-type'], 'application/problem+json');
  assert.equal(error.statusCode, error.body.status);
  return error.body;
}

// 2.0.1 does not know the status: like players it can only ask for the playlist.
async function isPlayable(video) {
  if (!bare) return (await videos.getStatus(video.videoId)).encoding.playable;
  const { status } = await fetch(video.assets.hls);
  assert.ok(status === 200 || status === 202, String(status));
  return status === 200;
}

async function waitUntilPlayable(video) {
  const deadline = Date.now() + PLAYABLE_WITHIN_MS;
  while (!(await isPlayable(video))) {
    assert.ok(Date.now() < deadline);
    await pause(100); // as applications of this client do
  }
}

(async () => {
  assert.equal(require(path.join(home, 'package.json')).version, version);

  // `tags=a&tags=b`, `pageSize=100`, and a loop until `pagesTotal`.
  const tags = [`a${run}`, `b${run}`];
  const told = { description: `100% ${run}`, metadata: [{ key: 'Run', value: run }] };
  const tagged = await videos.create(`Tagged ${run}`, { tags, ...told });
  await videos.create(`Half tagged ${run}`, { tags: [tags[0]] });
  assert.deepEqual((await videos.search({ tags })).map((one) => one.videoId), [tagged.videoId]);
  const found = await videos.search({ title: run, sortBy: 'title', sortOrder: 'desc' });
  assert.deepEqual(found.map((one) => one.title), [`Tagged ${run}`, `Half tagged ${run}`]);
  // It writes no nested parameters: these are the ways that it has to ask for metadata.
  const pair = [{ 'metadata[Run]': run }, { metadata: JSON.stringify(told.metadata) }];
  for (const filter of [{ description: told.description }, ...pair]) {
    assert.deepEqual((await videos.search(filter)).map((one) => one.videoId), [tagged.videoId]);
  }
  const none = [
    { title: `no${run}` },
    { description: `no${run}` },
    { 'metadata[Run]': 'no' },
    { title: run, liveStreamId: 'liAAAAAAAAAAAAAAAAAAAAAA' },
  ];
  for (const filter of none) assert.deepEqual(await videos.search(filter), []);
  const hidden = await videos.makePrivate(tagged.videoId);
  assert.equal(hidden.public, false);
  assert.match(hidden.assets.hls, /\/token\//);
  assert.equal((await videos.makePublic(tagged.videoId)).public, true);
  const update = { metadata: [{ key: 'k', value: 'v' }] };
  assert.deepEqual((await videos.update(tagged.videoId, update)).metadata, update.metadata);
  for (const video of found) assert.equal(await videos.delete(video.videoId), 204);

  const uploaded = await videos.upload(clip, { title: `Clip ${run}` });
  assert.equal(uploaded.title, `Clip ${run}`);
  await waitUntilPlayable(uploaded);
  if (!bare) {
    assert.equal((await videos.getStatus(uploaded.videoId)).ingest.status, 'uploaded');
  }
  assert.equal((await videos.uploadThumbnail(image, uploaded.videoId)).videoId, uploaded.videoId);
  const picked = await videos.updateThumbnailWithTimecode(uploaded.videoId, '00:00:00.50');
  assert.equal(picked.videoId, uploaded.videoId);
  assert.equal(await videos.delete(uploaded.videoId), 204);

  const unknown = await refused(videos.get(uploaded.videoId));
  assert.equal(unknown.status, 404);
  assert.equal(unknown.name, 'videoId');
  assert.match(unknown.type, /\/resource-not-found$/);
  assert.equal((await refused(videos.create(undefined))).name, 'title');
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
