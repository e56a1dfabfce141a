// An upload of the legacy `@api.video/nodejs-sdk` whose connection breaks, and goes through
// when it is sent again: `node resend_sdk.cjs PACKAGE_FOLDER BASE_URL API_KEY SCENARIO FILES`.
// After the failure it prints `broken` and waits for a line; last, it prints a line of JSON:
// which file became which video.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { untilUploaded } = require('./until_uploaded.cjs');

const [folder, baseUri, apiKey, scenario, files] = process.argv.slice(2);
const home = path.join(folder, 'node_modules', '@api.video', 'nodejs-sdk');
const { version } = require(path.join(home, 'package.json'));
const { videos } = new (require(home).Client)({ apiKey, baseUri });
videos.chunkSize = 5 * 1024 * 1024;

// The others send ranges at the same time, and what one of them fails by reaches nobody but
// the process; nor do they tell that all bytes have arrived.
const answers = version === '1.10.4';
const file = (name) => path.join(files, name);
const container = async () => (await videos.create('Sent again', {})).videoId;

async function wait(error) {
  assert.equal(error.problemDetails, undefined, String(error.stack));
  console.log('broken');
  // Not `readSync`: connections that are closed meanwhile have to be noticed.
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.destroy();
}

async function failure(upload) {
  const unheard = new Promise((resolve) => process.on('unhandledRejection', resolve));
  const done = upload.then(() => assert.fail('nothing broke'), (reason) => reason);
  return Promise.race([done, unheard]);
}

const scenarios = {
  async small() {
    const videoId = await container();
    await wait(await failure(videos.upload(file('small.mp4'), {}, videoId)));
    await videos.upload(file('small.mp4'), {}, videoId);
    return { [videoId]: 'small.mp4' };
  },
  async range() {
    let videoId = await container();
    await wait(await failure(videos.upload(file('even.mp4'), {}, videoId)));
    // Ranges that arrived beside the broken one are refused when they come again.
    if (!answers) videoId = await container();
    const uploaded = videos.upload(file('even.mp4'), {}, videoId);
    await (answers ? uploaded : untilUploaded(videos, videoId, baseUri, apiKey));
    return { [videoId]: 'even.mp4' };
  },
};

scenarios[scenario]().then(
  (made) => console.log(JSON.stringify(made)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
