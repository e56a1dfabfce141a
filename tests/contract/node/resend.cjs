// An upload of `@api.video/nodejs-client` whose connection breaks, and goes through when it
// is sent again: `node resend.cjs PACKAGE_FOLDER BASE_URL API_KEY SCENARIO FILES`. After the
// failure it prints `broken` and waits for a line; last, it prints a line of JSON: which
// file became which video.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');

const [folder, baseUri, apiKey, scenario, files] = process.argv.slice(2);
const ApiVideoClient = require(path.join(folder, 'node_modules', '@api.video', 'nodejs-client'));

const client = new ApiVideoClient({ apiKey, baseUri, chunkSize: 5 * 1024 * 1024 });
const { videos, uploadTokens } = client;
const parts = ['a', 'b', 'c'].map((part) => `large.mp4.part.${part}`);

const file = (name) => path.join(files, name);
const container = async () => (await videos.create({ title: 'Sent again' })).videoId;

// Not `readSync`: connections that are closed meanwhile have to be noticed, or one of them is
// what the next request goes out on.
async function line() {
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.destroy();
}

async function again(call) {
  const error = await call().then(() => assert.fail('nothing broke'), (reason) => reason);
  assert.equal(error.problemDetails, undefined, String(error.stack));
  console.log('broken');
  await line();
  return call();
}

const scenarios = {
  async small() {
    const videoId = await container();
    await again(() => videos.upload(videoId, file('small.mp4')));
    return { [videoId]: 'small.mp4' };
  },
  async first() {
    const videoId = await container();
    await again(() => videos.upload(videoId, file('large.mp4')));
    return { [videoId]: 'large.mp4' };
  },
  async later() {
    // From the front: the part that the client was told of is refused.
    const videoId = await container();
    const error = await again(() => videos.upload(videoId, file('large.mp4'))).then(
      () => assert.fail('accepted'),
      (reason) => reason,
    );
    assert.match(error.problemDetails.type, /-part-already-sent$/);
    const other = await container();
    await videos.upload(other, file('large.mp4'));
    return { [other]: 'large.mp4' };
  },
  async session() {
    const videoId = await container();
    const session = videos.createUploadProgressiveSession(videoId);
    await session.uploadPart(file(parts[0]));
    await again(() => {
      session.currentPart = 2; // old versions count what has failed, too
      return session.uploadPart(file(parts[1]));
    });
    await session.uploadLastPart(file(parts[2]));
    return { [videoId]: 'large.mp4' };
  },
  async token() {
    const { token } = await uploadTokens.createToken({ ttl: 3600 });
    const { videoId } = await again(() => videos.uploadWithUploadToken(token, file('large.mp4')));
    return { [videoId]: 'large.mp4' };
  },
};

scenarios[scenario]().then(
  (made) => console.log(JSON.stringify(made)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
