// Uploads of `tus-js-client`, cut and resumed:
// `node tus_client.cjs PACKAGE_FOLDER BASE_URL API_KEY SCENARIO FILE`. Prints, last, a line
// of JSON: the URL of the upload, and the offsets at which requests with bytes began.
'use strict';

const assert = require('node:assert/strict');
const { createReadStream, readFileSync, statSync } = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { PassThrough } = require('node:stream');

const [folder, base, key, scenario, file] = process.argv.slice(2);
const tus = require(path.join(folder, 'node_modules', 'tus-js-client'));

const size = statSync(file).size;
const CUT_AT = Math.floor(size * 0.4);
const CHUNK = 5 * 1024 * 1024;
const offsets = [];
const methods = [];

const common = {
  endpoint: `${base}/tus/`,
  headers: { Authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` },
  metadata: { filename: path.basename(file), filetype: 'video/mp4' },
  retryDelays: [0, 500, 1000],
  onBeforeRequest(request) {
    methods.push(request.getMethod());
    const offset = request.getHeader('Upload-Offset');
    if (offset !== undefined) offsets.push(Number(offset));
  },
};

function upload(source, options) {
  return new Promise((resolve, reject) => {
    const running = new tus.Upload(source, {
      ...common,
      ...options,
      onSuccess: () => resolve(running),
      onError: reject,
    });
    running.start();
  });
}

// Connections that break once they have carried so many bytes.
class Breaking extends http.Agent {
  createConnection(...options) {
    const socket = super.createConnection(...options);
    const write = socket.write.bind(socket);
    let sent = 0;
    socket.write = (data, ...rest) => {
      sent += data.length;
      if (sent <= CUT_AT) return write(data, ...rest);
      socket.destroy(new Error('broken'));
      return false;
    };
    return socket;
  }
}

// Begin an upload whose connection breaks in the middle; return its URL.
function begin(options) {
  return new Promise((resolve, reject) => {
    const running = new tus.Upload(createReadStream(file), {
      ...common,
      ...options,
      uploadSize: size,
      retryDelays: null,
      httpStack: new tus.DefaultHttpStack({ agent: new Breaking() }),
      onSuccess: () => reject(new Error('nothing broke')),
      onError: () => resolve(running.url),
    });
    running.start();
  });
}

async function cutAndResumed(options) {
  const uploadUrl = await begin(options);
  offsets.length = 0;
  // Another run of the program knows no more than the URL and the file.
  const done = await upload(readFileSync(file), { ...options, uploadUrl });
  assert.ok(offsets[0] > 0 && offsets[0] <= size, `resumed at ${offsets[0]}`);
  assert.equal(done.url, uploadUrl);
  return done;
}

const scenarios = {
  'tus-v1': () => cutAndResumed({ protocol: 'tus-v1' }),
  'ietf-draft-03': () => cutAndResumed({ protocol: 'ietf-draft-03' }),
  'ietf-draft-05': () => cutAndResumed({ protocol: 'ietf-draft-05' }),
  'creation-with-upload': () => upload(readFileSync(file), { uploadDataDuringCreation: true }),
  'draft-creation-with-upload': () =>
    upload(readFileSync(file), { protocol: 'ietf-draft-05', uploadDataDuringCreation: true }),
  chunks: () => upload(createReadStream(file), { chunkSize: CHUNK, uploadSize: size }),
  'draft-chunks': () =>
    upload(createReadStream(file), {
      chunkSize: CHUNK, uploadSize: size, protocol: 'ietf-draft-05',
    }),
  deferred: () =>
    // Not the file's own stream: of that the client announces chunks behind its end.
    upload(createReadStream(file).pipe(new PassThrough()), {
      chunkSize: CHUNK, uploadLengthDeferred: true,
    }),
  override: () => upload(readFileSync(file), { overridePatchMethod: true }),
  patient: () => upload(readFileSync(file), { retryDelays: Array(480).fill(500) }),
  parallel: () => upload(readFileSync(file), { parallelUploads: 3 }),
  async terminated() {
    const url = await begin({});
    await tus.Upload.terminate(url, { ...tus.defaultOptions, ...common });
    const asked = await fetch(url, {
      method: 'HEAD', headers: { ...common.headers, 'Tus-Resumable': '1.0.0' },
    });
    assert.equal(asked.status, 404);
    return { url };
  },
};

scenarios[scenario]().then(
  ({ url }) => console.log(JSON.stringify({ url, offsets, methods })),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
