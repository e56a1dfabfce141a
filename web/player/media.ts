/** What the server tells the page about its media: the page's JSON island. */
export interface Media {
  id: string;
  title: string;
  hls: string;
  poster: string | null;
  /** Where the file can be downloaded; null when that is not allowed. */
  mp4: string | null;
  /** Where a private media exchanges its one-time token for a session. */
  session: string | null;
}

/** Reads the JSON island; a page without one is a bug of the server. */
export function readMedia(page: Document): Media {
  const island = page.getElementById('telecine-media');
  if (island?.textContent == null) throw new Error('no #telecine-media on this page');
  return JSON.parse(island.textContent) as Media;
}

/** A refusal of the server: the token was used elsewhere, or the media is gone. */
export class MediaRefused extends Error {
  constructor(readonly status: number) {
    super(`refused with status ${status}`);
  }
}

/**
 * Returns the media with URLs that can be fetched: those of a private media carry
 * a session. The token works once, so its session is kept for reloads of this tab.
 */
export async function openSession(media: Media, session: string | null): Promise<Media> {
  const token = session ?? (media.session === null ? null : await exchange(media.session));
  if (token === null) return media;
  const signed = (url: string): string => {
    const signedUrl = new URL(url, location.href);
    signedUrl.searchParams.set('avh', token);
    return signedUrl.href;
  };
  return {
    ...media,
    hls: signed(media.hls),
    poster: media.poster === null ? null : signed(media.poster),
    mp4: media.mp4 === null ? null : signed(media.mp4),
  };
}

async function exchange(url: string): Promise<string> {
  const key = `telecine-session:${url}`;
  const kept = storage()?.getItem(key);
  if (kept) return kept;
  const reply = await fetch(url);
  if (!reply.ok) throw new MediaRefused(reply.status);
  const { session_token: token } = (await reply.json()) as { session_token: string };
  storage()?.setItem(key, token);
  return token;
}

/** Browsers that block third-party storage throw on the mere property. */
function storage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}
