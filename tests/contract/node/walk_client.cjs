// The life of a video, walked with a version of `@api.video/nodejs-client`:
// `node walk_client.cjs PACKAGE_FOLDER VERSION BASE_URL API_KEY CLIP IMAGE`.
'use strict';

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

const [folder, version, baseUri, apiKey, clip, image] = process.argv.slice(2);
const home = path.join(folder, 'node_modules', '@api.video', 'nodejs-client');
const ApiVideoClient = require(home);

const PLAYABLE_WITHIN_MS = 90_000;
const old = /^2\.[0-4]\./.test(version);
const run = randomBytes(8).toString('hex');
const client = new ApiVideoClient({ apiKey, baseUri });
const { videos } = client;

const create = (title, members = {}) => videos.create({ title: `${title} ${run}`, ...members });
const titles = (page) => page.data.map((video) => video.title.split(' ')[0]);

// The client throws its typed error only for `application/problem+json`.
async function refused(promise) {
  const error = await promise.then(
    () => assert.fail('accepted'),
    (reason) => reason,
  );
  assert.equal(error.constructor.name, 'ApiVideoError', String(error.stack));
  let problem = error.problemDetails;
  if (typeof problem === 'string') {
    // Old versions leave the body as text and so never find its title.
    assert.ok(old);
    problem = JSON.parse(problem);
  } else {
    assert.equal(error.message, problem.title);
  }
  assert.equal(error.code, problem.status);
  return problem;
}

async function checkLists() {
  const made = [
    await create('Apple', { tags: [`red${run}`, `fruit${run}`], description: `tree-${run}-a` }),
    await create('Cherry', {
      tags: [`red${run}`],
      metadata: [{ key: 'run', value: run }, { key: 'Kern & Co', value: '1/2 + ü' }],
    }),
    await create('Banana', { metadata: [{ key: 'run', value: run }] }),
  ];
  const list = async (filter) => titles(await videos.list(filter));
  const byTitle = { title: run, sortBy: 'title' };
  assert.deepEqual(await list({ ...byTitle, sortOrder: 'asc' }), ['Apple', 'Banana', 'Cherry']);
  assert.deepEqual(await list({ ...byTitle, sortOrder: 'desc' }), ['Cherry', 'Banana', 'Apple']);
  const oldestFirst = { title: run, sortBy: 'createdAt', sortOrder: 'asc' };
  assert.deepEqual(await list(oldestFirst), ['Apple', 'Cherry', 'Banana']);
  if (!old) {
    // Old versions send `tags=a,b`, which is one tag with a comma in it.
    assert.deepEqual(await list({ tags: [`red${run}`, `fruit${run}`] }), ['Apple']);
  }
  assert.deepEqual((await list({ tags: [`red${run}`] })).sort(), ['Apple', 'Cherry']);
  assert.deepEqual(await list({ metadata: { run, 'Kern & Co': '1/2 + ü' } }), ['Cherry']);
  assert.deepEqual(await list({ description: `tree-${run}` }), ['Apple']);
  assert.deepEqual(await list({ title: run, liveStreamId: 'liAAAAAAAAAAAAAAAAAAAAAA' }), []);
  const page = await videos.list({ ...byTitle, currentPage: 2, pageSize: 2 });
  assert.deepEqual(titles(page), ['Cherry']);
  assert.equal(page.pagination.itemsTotal, 3);
  assert.equal(page.pagination.pagesTotal, 2);
  assert.equal(page.pagination.currentPageItems, 1);
  for (const video of made) await videos.delete(video.videoId);
}

async function checkChanges() {
  const video = await create('Draft', { tags: ['a'], metadata: [{ key: 'k', value: 'v' }] });
  assert.match(video.videoId, /^vi[0-9A-Za-z]{22}$/);
  assert.equal(video.description, '');
  assert.equal(video._public, true);
  assert.equal(video.assets.thumbnail.endsWith(`/vod/${video.videoId}/thumbnail.jpg`), true);
  const changed = await videos.update(video.videoId, { tags: ['b', 'c'], _public: false });
  assert.deepEqual(changed.tags, ['b', 'c']);
  assert.equal(changed._public, false);
  assert.equal(changed.metadata.length, 1);
  assert.match(changed.assets.hls, /\/token\//);
  assert.deepEqual((await videos.update(video.videoId, { metadata: [] })).metadata, []);
  assert.deepEqual((await videos.get(video.videoId)).tags, ['b', 'c']);
  await videos.delete(video.videoId);
}

async function untilPlayable(videoId) {
  const deadline = Date.now() + PLAYABLE_WITHIN_MS;
  for (;;) {
    const status = await videos.getStatus(videoId);
    if (status.encoding.playable) return status;
    assert.ok(Date.now() < deadline, JSON.stringify(status));
    await pause(100); // as applications of this client do
  }
}

async function checkPlayback() {
  const { videoId } = await create('Clip');
  const before = await videos.getStatus(videoId);
  assert.equal(before.encoding.playable, false);
  assert.ok(!before.ingest?.status);
  const uploaded = await videos.upload(videoId, clip);
  assert.equal(uploaded.title, `Clip ${run}`);
  const status = await untilPlayable(videoId);
  assert.equal(status.ingest.status, 'uploaded');
  assert.equal(status.encoding.metadata.width, 320);
  assert.ok(status.encoding.qualities.some((one) => one.type === 'hls' && one.quality === '240p'));
  const reply = await fetch((await videos.get(videoId)).assets.hls);
  assert.equal(reply.status, 200);
  assert.match(await reply.text(), /^#EXTM3U/);
  const again = await refused(videos.upload(videoId, clip));
  assert.match(again.type, /\/video-source-already-uploaded$/);
  assert.equal((await videos.uploadThumbnail(videoId, image)).videoId, videoId);
  assert.equal((await videos.pickThumbnail(videoId, { timecode: '00:00:00.50' })).videoId, videoId);
  // 204: some versions fail on a Content-Type here.
  await videos.delete(videoId);
  assert.equal((await refused(videos.get(videoId))).name, 'videoId');
}

async function checkThemes() {
  const { playerThemes } = client;
  const made = await playerThemes.create({ name: old ? undefined : run, text: 'rgba(1, 2, 3, .95)' });
  assert.match(made.playerId, /^pl[0-9A-Za-z]{22}$/);
  assert.equal(made.text, 'rgba(1, 2, 3, .95)');
  assert.equal(made.enableApi, true);
  const changed = await playerThemes.update(made.playerId, { link: '#0000ff', forceLoop: true });
  assert.deepEqual([changed.text, changed.link, changed.forceLoop], [made.text, '#0000ff', true]);
  assert.equal((await playerThemes.get(made.playerId)).link, '#0000ff');
  const listed = await playerThemes.list({ sortBy: 'createdAt', sortOrder: 'desc' });
  assert.ok(listed.data.some((one) => one.playerId === made.playerId));
  const themed = await create('Themed', { playerId: made.playerId });
  assert.equal(themed.playerId, made.playerId);
  await videos.delete(themed.videoId);
  // The walk's picture is too large for a logo.
  assert.equal((await refused(playerThemes.uploadLogo(made.playerId, image, 'x'))).name, 'file');
  await playerThemes.deleteLogo(made.playerId);
  await playerThemes.delete(made.playerId);
  assert.equal((await refused(playerThemes.get(made.playerId))).name, 'playerId');
}

async function checkPictures() {
  const { playerThemes, watermarks } = client;
  const logo = path.join(tmpdir(), `${run}.png`);
  // One black pixel.
  const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';
  writeFileSync(logo, Buffer.from(pixel, 'base64'));
  const theme = await playerThemes.create({});
  const dressed = await playerThemes.uploadLogo(theme.playerId, logo, 'https://shop.example/');
  assert.equal(dressed.assets.link, 'https://shop.example/');
  assert.equal((await fetch(dressed.assets.logo)).headers.get('content-type'), 'image/png');
  await playerThemes.deleteLogo(theme.playerId);
  assert.ok(!(await playerThemes.get(theme.playerId)).assets?.logo);
  await playerThemes.delete(theme.playerId);
  if (watermarks !== undefined) {
    const mark = await watermarks.upload(logo);
    assert.match(mark.watermarkId, /^watermark_[0-9A-Za-z]{22}$/);
    const watermark = { id: mark.watermarkId, top: '0px', left: '0px', width: '10px', height: '10px' };
    const marked = await create('Marked', { watermark });
    const listed = await watermarks.list({ sortBy: 'createdAt', sortOrder: 'desc' });
    assert.ok(listed.data.some((one) => one.watermarkId === mark.watermarkId));
    await videos.delete(marked.videoId);
    await watermarks.delete(mark.watermarkId);
    assert.equal((await refused(watermarks.delete(mark.watermarkId))).name, 'watermarkId');
  }
  rmSync(logo);
}

async function checkTags() {
  if (client.tags === undefined) return;
  const { videoId } = await create('Tagged', { tags: [`rare${run}`] });
  const found = await client.tags.list({ value: `rare${run}`, sortBy: 'value', sortOrder: 'asc' });
  assert.deepEqual(found.data.map(({ value, videoCount }) => [value, videoCount]), [[`rare${run}`, 1]]);
  await videos.delete(videoId);
}

// Its project keeps what is deleted.
async function checkDiscarded() {
  if (typeof videos.listDiscarded !== 'function') return;
  const { videoId, title } = await create('Gone');
  await videos.delete(videoId);
  assert.equal((await refused(videos.get(videoId))).name, 'videoId');
  assert.equal((await videos.getDiscarded(videoId)).title, title);
  const listed = await videos.listDiscarded({ title });
  assert.deepEqual(listed.data.map((one) => one.videoId), [videoId]);
  await videos.updateDiscarded(videoId, { discarded: false });
  assert.equal((await videos.get(videoId)).title, title);
}

async function checkLiveStreams() {
  const { liveStreams } = client;
  const restreams = [{ name: 'Elsewhere', serverUrl: 'rtmp://live.example.com/app', streamKey: 'k' }];
  const wish = { name: `Studio ${run}`, ...(old ? {} : { restreams }) };
  const made = await liveStreams.create(wish);
  assert.match(made.liveStreamId, /^li[0-9A-Za-z]{22}$/);
  assert.equal(made.broadcasting, false);
  if (!old) assert.equal(made.restreams[0].serverUrl, restreams[0].serverUrl);
  const found = await liveStreams.list({ streamKey: made.streamKey });
  assert.deepEqual(found.data.map((one) => one.liveStreamId), [made.liveStreamId]);
  const changed = await liveStreams.update(made.liveStreamId, { name: `Stage ${run}` });
  assert.equal(changed.name, `Stage ${run}`);
  assert.equal((await liveStreams.get(made.liveStreamId)).name, `Stage ${run}`);
  assert.equal((await liveStreams.uploadThumbnail(made.liveStreamId, image)).name, changed.name);
  await liveStreams.deleteThumbnail(made.liveStreamId);
  if (typeof liveStreams.complete === 'function') await liveStreams.complete(made.liveStreamId);
  await liveStreams.delete(made.liveStreamId);
  assert.equal((await refused(liveStreams.get(made.liveStreamId))).name, 'liveStreamId');
}

async function checkWebhooks() {
  const { webhooks } = client;
  const url = `https://example.com/${run}?a=b`;
  const events = ['video.encoding.quality.completed'];
  const made = await webhooks.create({ events, url });
  assert.match(made.webhookId, /^webhook_[0-9A-Za-z]{22}$/);
  assert.deepEqual([made.events, made.url], [events, url]);
  assert.deepEqual(await webhooks.get(made.webhookId), made);
  const page = await webhooks.list({ events: events[0] });
  assert.ok(page.data.some((one) => one.webhookId === made.webhookId));
  await webhooks.delete(made.webhookId);
  assert.equal((await refused(webhooks.get(made.webhookId))).name, 'webhookId');
}

async function checkTexts() {
  const { captions, chapters } = client;
  const { videoId } = await create('Texts');
  const [file, text] = [path.join(tmpdir(), `${run}.vtt`), 'WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n'];
  writeFileSync(file, text);
  const fetched = async (url) => (await fetch(url)).text();
  const made = await captions.upload(videoId, 'en', file);
  assert.deepEqual([made.srclang, made._default], ['en', false]);
  assert.equal(await fetched(made.src), text);
  assert.equal((await captions.update(videoId, 'en', { _default: true }))._default, true);
  assert.equal((await captions.get(videoId, 'en'))._default, true);
  assert.equal((await captions.list({ videoId })).data.length, 1);
  await captions.delete(videoId, 'en');
  assert.equal((await refused(captions.get(videoId, 'en'))).name, 'language');
  const chapter = await chapters.upload(videoId, 'en', file);
  assert.equal(await fetched(chapter.src), text);
  assert.equal((await chapters.get(videoId, 'en')).language, 'en');
  assert.equal((await chapters.list({ videoId })).data.length, 1);
  await chapters.delete(videoId, 'en');
  assert.equal((await refused(chapters.get(videoId, 'en'))).name, 'language');
  rmSync(file);
  await videos.delete(videoId);
}

async function checkErrors() {
  const unknown = await refused(videos.get('viAAAAAAAAAAAAAAAAAAAAAA'));
  assert.equal(unknown.status, 404);
  assert.match(unknown.type, /\/resource-not-found$/);
  const outside = await refused(videos.list({ currentPage: 0, pageSize: 1000 }));
  assert.equal(outside.status, 400);
  assert.deepEqual(outside.problems.map((one) => one.name), ['page', 'pageSize']);
  const untitled = await refused(videos.create({ description: 'no title' }));
  assert.equal(untitled.name, 'title');
  assert.match(untitled.type, /\/attribute-required$/);

  const stranger = new ApiVideoClient({ apiKey: `wrong${run}`, baseUri });
  const problem = await refused(stranger.videos.list());
  // Old versions take the key to /auth/api-key, new ones send it with each request.
  assert.equal(problem.status, old ? 400 : 401);
  const slug = old ? 'authentication-invalid-user-credentials' : 'authentication-invalid-api-key';
  assert.ok(problem.type.endsWith(`/${slug}`), problem.type);
}

async function checkTokens() {
  if (typeof client.getAccessToken !== 'function') return;
  const token = await client.getAccessToken();
  const values = typeof token === 'string' ? [token] : [token.accessToken, token.refreshToken];
  assert.ok(values.every((value) => value.length > 20));
}

(async () => {
  assert.equal(require(path.join(home, 'package.json')).version, version);
  await checkTokens();
  await checkLists();
  await checkChanges();
  await checkPlayback();
  await checkThemes();
  await checkPictures();
  await checkTags();
  await checkDiscarded();
  await checkLiveStreams();
  await checkWebhooks();
  await checkTexts();
  await checkErrors();
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
