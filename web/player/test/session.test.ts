import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Media } from '../media';
import { inSession } from '../session';

const FOLDER = '/vod/vi1/token/t';
const MEDIA: Media = {
  id: 'vi1',
  title: '',
  hls: `${FOLDER}/hls/manifest.m3u8`,
  poster: `${FOLDER}/thumbnail.jpg`,
  mp4: `${FOLDER}/mp4/source.mp4?dl=1`,
  session: `${FOLDER}/session`,
  live: false,
  panoramic: false,
  chapters: { en: `${FOLDER}/chapters/en.vtt` },
  storyboard: null,
  theme: {},
  collector: '/watch',
};
const SEEN = {
  ...MEDIA,
  hls: `${FOLDER}/hls/manifest.m3u8?avh=s1`,
  poster: `${FOLDER}/thumbnail.jpg?avh=s1`,
  mp4: `${FOLDER}/mp4/source.mp4?dl=1&avh=s1`,
  chapters: { en: `${FOLDER}/chapters/en.vtt?avh=s1` },
};

const server = vi.fn<typeof fetch>();

beforeEach(() => {
  vi.stubGlobal('fetch', server);
  sessionStorage.clear();
});

afterEach(() => {
  vi.unstubAllGlobals();
  server.mockReset();
});

function answers(session: string): void {
  server.mockResolvedValueOnce(new Response(JSON.stringify({ session_token: session })));
}

it('asks for a session once, and keeps it for the tab', async () => {
  answers('s1');
  expect(await inSession(MEDIA)).toEqual(SEEN);
  expect(await inSession(MEDIA)).toEqual(SEEN);
  expect(server.mock.calls.map(([url]) => url)).toEqual([MEDIA.session]);
});

it('asks anew for another token', async () => {
  answers('s1');
  answers('s2');
  await inSession(MEDIA);
  const next = await inSession({ ...MEDIA, session: '/vod/vi1/token/u/session' });
  expect(next?.hls).toBe(`${FOLDER}/hls/manifest.m3u8?avh=s2`);
});

it('asks nothing for a public media', async () => {
  const open = { ...MEDIA, session: null };
  expect(await inSession(open)).toBe(open);
  expect(server).not.toHaveBeenCalled();
});

it('gives nothing for a token that was used up', async () => {
  server.mockResolvedValueOnce(new Response('', { status: 404 }));
  expect(await inSession(MEDIA)).toBe(null);
});

it('leaves the URLs alone where nobody answers', async () => {
  server.mockResolvedValueOnce(new Response('', { status: 503 }));
  expect(await inSession(MEDIA)).toBe(MEDIA);
  server.mockRejectedValueOnce(new TypeError('no network'));
  expect(await inSession(MEDIA)).toBe(MEDIA);
});

it('does without a storage that the browser refuses', async () => {
  vi.stubGlobal('sessionStorage', {
    getItem: () => {
      throw new DOMException('', 'SecurityError');
    },
    setItem: () => {
      throw new DOMException('', 'SecurityError');
    },
  });
  answers('s1');
  expect(await inSession(MEDIA)).toEqual(SEEN);
});
