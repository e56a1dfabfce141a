// Reads what viewers did and what is stored, with whichever official package for Node:
// `node sessions.cjs PACKAGE_FOLDER PACKAGE VERSION BASE_URL API_KEY VIDEO_ID STREAM_ID SESSION_ID`.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');

const [folder, name, version, baseUri, apiKey, videoId, liveStreamId, sessionId] =
  process.argv.slice(2);
const home = path.join(folder, 'node_modules', name);

const TYPES = [
  'ready', 'play', 'seek.forward', 'seek.backward', 'pause', 'resume', 'end', 'pause',
];

function checkSession({ session, location, device, os, client, ...rest }) {
  assert.equal(session.sessionId, sessionId);
  assert.ok(new Date(session.loadedAt) <= new Date(session.endedAt));
  assert.equal((rest.referrer ?? rest.referer).url, 'https://shop.example/page');
  const texts = [location.country, location.city, device.type, os.name, client.name];
  for (const text of texts) assert.equal(typeof text, 'string');
}

function checkEvents(events) {
  assert.deepEqual(events.map(({ type }) => type), TYPES);
  const seek = events.find(({ type }) => type === 'seek.forward');
  assert.deepEqual([seek.from, seek.to], [5, 20]);
  const pause = events.find(({ type }) => type === 'pause');
  assert.equal(pause.at, 6);
}

async function readByClient() {
  const exported = require(home);
  const { rawStatistics } = new (exported.default ?? exported)({ apiKey, baseUri });
  const today = new Date();
  const yesterday = new Date(today - 24 * 3600 * 1000);
  const day = (moment) => moment.toISOString().slice(0, 10);
  const period = `${day(yesterday)}/${day(today)}`;
  const found = await rawStatistics.listVideoSessions({
    videoId,
    period,
    metadata: { user: 'seven' },
    pageSize: 5,
  });
  assert.equal(found.pagination.itemsTotal, 1);
  checkSession(found.data[0]);
  const none = await rawStatistics.listVideoSessions({
    videoId,
    period,
    metadata: { user: 'six' },
  });
  assert.deepEqual(none.data, []);
  const live = await rawStatistics.listLiveStreamSessions({ liveStreamId, period });
  assert.equal(live.data.length, 1);
  checkEvents((await rawStatistics.listSessionEvents({ sessionId })).data);
  await assert.rejects(rawStatistics.listSessionEvents({ sessionId: 'psUnknown' }));
}

async function readBySdk() {
  const { Client } = require(home);
  const client = new Client({ apiKey, baseUri });
  const { data } = await client.analyticsVideo.get(videoId);
  assert.equal(data.length, 1);
  checkSession(data[0]);
  assert.equal((await client.analyticsLive.get(liveStreamId)).data.length, 1);
  // Of the older package it is a part that its client does not offer.
  const Accounts = require(path.join(home, 'lib/Api/accounts'));
  const { quota } = await (client.accounts ?? new Accounts(client.videos.browser)).get();
  assert.ok(Number.isInteger(quota.quotaUsed));
  assert.equal(quota.quotaTotal, null);
  if (version !== '2.0.1') {
    checkEvents((await client.analyticsSessionEvent.get(sessionId)).events);
  }
}

const read = name.endsWith('nodejs-sdk') ? readBySdk : readByClient;
read().catch((error) => {
  console.error(error);
  process.exit(1);
});
