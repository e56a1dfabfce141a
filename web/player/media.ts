import { REFUSED } from './session';
import type { Theme } from './theme';

/** What the server tells the page about its media: the page's JSON island. */
export interface Media {
  id: string;
  title: string;
  hls: string;
  poster: string | null;
  /** Where the file can be downloaded; null when that is not allowed. */
  mp4: string | null;
  /** Where the token of a private media becomes a session, once; null: nothing to do. */
  session: string | null;
  /** A live stream: it may be offline, has no end, and a window to go back in. */
  live: boolean;
  /** A picture all around (equirectangular), of which the viewer sees a part. */
  panoramic: boolean;
  /** WebVTT files of chapters by language. */
  chapters: Record<string, string>;
  /** A WebVTT file whose cues name parts of pictures (`#xywh=`), for previews; 202 until there is one. */
  storyboard: string | null;
  theme: Partial<Theme>;
  /** Where to tell what viewers do. */
  collector: string;
}

const ABSENT = {
  session: null,
  live: false,
  panoramic: false,
  chapters: {},
  storyboard: null,
  theme: {},
  collector: '/watch',
} as const;

/** Reads the JSON island; a page without one is a bug of the server. */
export function readMedia(page: Document): Media {
  const island = page.getElementById('telecine-media');
  if (island?.textContent == null) throw new Error('no #telecine-media on this page');
  return { ...ABSENT, ...(JSON.parse(island.textContent) as Media) };
}

/**
 * Fetches another page of ours, as the embedding site asks for in place of this one.
 *
 * To the server the request comes from us, whom every list of sites lets pass: so it is told
 * for whom. Returns the status of an answer without media; 0: there was no answer.
 */
export async function fetchMedia(url: URL, embedder: string): Promise<Media | number> {
  if (url.origin !== location.origin || !/^\/(vod|live)\/[^/]+\/?$/.test(url.pathname)) return REFUSED;
  let html: string;
  try {
    const answer = await fetch(url, { headers: { 'telecine-embedder': embedder } });
    if (!answer.ok) return answer.status;
    html = await answer.text();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return 0;
  }
  // Parsed so, nothing of it runs.
  return readMedia(new DOMParser().parseFromString(html, 'text/html'));
}
