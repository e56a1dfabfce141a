// An upload in the chunks that `@api.video/nodejs-client` chooses by itself:
// `node default_chunks.cjs PACKAGE_FOLDER BASE_URL API_KEY FILE`. Prints a line of JSON: which
// file became which video.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');

const [folder, baseUri, apiKey, file] = process.argv.slice(2);
const ApiVideoClient = require(path.join(folder, 'node_modules', '@api.video', 'nodejs-client'));
const { videos } = new ApiVideoClient({ apiKey, baseUri });

async function main() {
  const { videoId } = await videos.create({ title: 'Default' });
  await videos.upload(videoId, file);
  const { receivedParts } = (await videos.getStatus(videoId)).ingest;
  assert.ok(receivedParts.total > 1);
  assert.equal(receivedParts.parts.length, receivedParts.total);
  console.log(JSON.stringify({ [videoId]: path.basename(file) }));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
