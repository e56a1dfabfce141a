// A viewer's tab as `@api.video/player-analytics` sees it, unmodified and outside a browser:
// `node player_analytics.cjs PACKAGE_FOLDER PING_URL MEDIA_ID vod|live`. Prints the session.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');

const [folder, pingUrl, videoId, videoType] = process.argv.slice(2);
const kept = new Map();
const sessionStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => kept.set(key, value),
};
const send = globalThis.fetch;
// The package brings its own `fetch` for old browsers, and takes ours where there is one.
Object.assign(globalThis, {
  self: globalThis,
  document: { referrer: 'https://shop.example/page' },
  window: { sessionStorage, setInterval, fetch: send },
});
const { PlayerAnalytics } = require(
  path.join(folder, 'node_modules', '@api.video', 'player-analytics'),
);

async function watch() {
  const ids = [];
  const player = new PlayerAnalytics({
    pingUrl,
    videoId,
    videoType,
    metadata: { user: 'seven' },
    onSessionIdReceived: (id) => ids.push(id),
  });
  await player.ready();
  await player.play();
  await player.updateTime(5.5);
  await player.seek(5.5, 20);
  await player.seek(20, 3);
  await player.updateTime(6.5);
  await player.pause();
  await player.resume();
  await player.updateTime(30);
  await player.end();
  await player.destroy();
  await new Promise((resolve) => setTimeout(resolve, 0));
  return ids;
}

async function main() {
  const [sessionId] = await watch();
  assert.match(sessionId, /^ps[0-9A-Za-z]{22}$/);
  // The tab remembers; a page loaded anew goes on with the session.
  assert.deepEqual([...kept.values()], [sessionId]);
  if (videoType === 'live') assert.deepEqual(await watch(), [sessionId]);
  console.log(sessionId);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
