// Uploads with the legacy `@api.video/nodejs-sdk`, which sends ranges of bytes:
// `node uploads_sdk.cjs PACKAGE_FOLDER VERSION BASE_URL API_KEY FOLDER`. The folder has
// `small.mp4`, `even.mp4` (10 MiB) and `large.mp4` (a little more). Prints, last, a line of
// JSON: which file became which video.
'use strict';

const assert = require('node:assert/strict');
const { statSync } = require('node:fs');
const path = require('node:path');
const { untilUploaded } = require('./until_uploaded.cjs');

const [folder, version, baseUri, apiKey, files] = process.argv.slice(2);
const home = path.join(folder, 'node_modules', '@api.video', 'nodejs-sdk');
const { Client } = require(home);

const chunkBytes = 5 * 1024 * 1024;
// The others wait for a header `lastchunkextension` that no document names: their promise
// stays open when all bytes have arrived.
const answers = version === '1.10.4';
const client = new Client({ apiKey, baseUri });
const { videos } = client;
videos.chunkSize = chunkBytes; // a plain member, 64 MiB unless it is set
const made = {};

async function upload(name) {
  const file = path.join(files, name);
  const size = statSync(file).size;
  const video = await videos.create(name, {});
  const answer = videos.upload(file, {}, video.videoId);
  if (answers || size < chunkBytes) assert.equal((await answer).videoId, video.videoId);
  const ingest = await untilUploaded(videos, video.videoId, baseUri, apiKey);
  assert.equal(ingest.filesize, size);
  const ranges = [];
  for (let from = 0; size >= chunkBytes && from < size; from += chunkBytes) {
    ranges.push({ from, to: Math.min(from + chunkBytes, size) - 1, total: size });
  }
  const received = (ingest.receivedBytes ?? []).map(({ from, to, total }) => ({ from, to, total }));
  assert.deepEqual(received, ranges);
  made[video.videoId] = name;
}

(async () => {
  assert.equal(require(path.join(home, 'package.json')).version, version);
  await upload('small.mp4');
  await upload('even.mp4');
  if (answers) {
    // Its last request carries a whole buffer, whatever its range says.
    const failure = await videos.upload(path.join(files, 'large.mp4'), {}).catch((error) => error);
    assert.match(String(failure.message), /size of the file .* different than the range length/);
  } else {
    await upload('large.mp4');
  }
  console.log(JSON.stringify(made));
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
