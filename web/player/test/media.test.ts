import { afterEach, describe, expect, it, vi } from 'vitest';
import { fetchMedia, readMedia, type Media } from '../media';

const MEDIA: Media = {
  id: 'vi1',
  title: '</script> & co',
  hls: '/vod/vi1/hls/manifest.m3u8',
  poster: null,
  mp4: null,
  session: null,
  live: false,
  panoramic: false,
  chapters: { en: '/vod/vi1/chapters/en.vtt' },
  storyboard: null,
  theme: { link: 'red', logo: null },
  collector: '/watch',
};

it('reads the JSON island of the page', () => {
  document.body.innerHTML = '<script type="application/json" id="telecine-media"></script>';
  document.getElementById('telecine-media')!.textContent = JSON.stringify(MEDIA);
  expect(readMedia(document)).toEqual(MEDIA);
});

it('says so when the server forgot it', () => {
  document.body.replaceChildren();
  expect(() => readMedia(document)).toThrow('#telecine-media');
});

describe('another page', () => {
  const server = vi.fn<typeof fetch>();
  const url = new URL('/vod/vi2?autoplay=true#api', location.href);

  afterEach(() => {
    vi.unstubAllGlobals();
    server.mockReset();
  });

  const load = (from = url) => {
    vi.stubGlobal('fetch', server);
    return fetchMedia(from, 'https://shop.example');
  };

  it('is asked for in the name of the site that embeds this one', async () => {
    const island = `<script type="application/json" id="telecine-media">{"id":"vi2"}</script>`;
    server.mockResolvedValue(new Response(island));
    expect(await load()).toMatchObject({ id: 'vi2', live: false });
    const headers = { 'telecine-embedder': 'https://shop.example' };
    expect(server).toHaveBeenCalledExactlyOnceWith(url, { headers });
  });

  it.each([403, 404, 503])('may be refused: %i', async (status) => {
    server.mockResolvedValue(new Response('', { status }));
    expect(await load()).toBe(status);
  });

  it('may be out of reach', async () => {
    server.mockRejectedValue(new TypeError('no network'));
    expect(await load()).toBe(0);
  });

  it.each(['https://else.example/vod/vi2', '/api/vi2', '//else.example/vod/vi2', '/vod/vi2/token/t'])(
    'is none of ours: %s',
    async (other) => {
      expect(await load(new URL(other, location.href))).toBe(404);
      expect(server).not.toHaveBeenCalled();
    },
  );
});
