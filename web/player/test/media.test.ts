import { afterEach, describe, expect, it, vi } from 'vitest';
import { MediaRefused, openSession, readMedia, type Media } from '../media';

const PUBLIC: Media = {
  id: 'vi1',
  title: 'One',
  hls: 'https://media.example/vod/vi1/hls/manifest.m3u8',
  poster: 'https://media.example/vod/vi1/thumbnail.jpg',
  mp4: null,
  session: null,
};
const PRIVATE: Media = { ...PUBLIC, session: 'https://media.example/vod/vi1/token/t1/session' };

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

function answer(reply: Response): ReturnType<typeof vi.fn> {
  const fetched = vi.fn(() => Promise.resolve(reply));
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

describe('openSession', () => {
  it('asks nobody for a public media', async () => {
    const fetched = answer(new Response());
    expect(await openSession(PUBLIC, null)).toBe(PUBLIC);
    expect(fetched).not.toHaveBeenCalled();
  });

  it('exchanges a token once and keeps the session for reloads', async () => {
    const fetched = answer(Response.json({ session_token: 's1' }));
    const first = await openSession(PRIVATE, null);
    const second = await openSession(PRIVATE, null);
    expect(fetched).toHaveBeenCalledExactlyOnceWith(PRIVATE.session);
    expect(first.hls).toBe(`${PUBLIC.hls}?avh=s1`);
    expect(first.poster).toBe(`${PUBLIC.poster}?avh=s1`);
    expect(second).toEqual(first);
  });

  it('leaves the token alone when the URL carries a session', async () => {
    const fetched = answer(new Response());
    expect((await openSession(PRIVATE, 's2')).hls).toBe(`${PUBLIC.hls}?avh=s2`);
    expect(fetched).not.toHaveBeenCalled();
  });

  it('tells a refusal from a network that is away', async () => {
    answer(new Response(null, { status: 404 }));
    await expect(openSession(PRIVATE, null)).rejects.toThrow(MediaRefused);
  });
});

it('reads the JSON island of the page', () => {
  document.body.innerHTML = '<script type="application/json" id="telecine-media"></script>';
  document.getElementById('telecine-media')!.textContent = JSON.stringify(PUBLIC);
  expect(readMedia(document)).toEqual(PUBLIC);
});
