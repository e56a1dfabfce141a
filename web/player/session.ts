import type { Media } from './media';

const PARAMETER = 'avh';
/** The status of a token that was used up, or never was one. */
export const REFUSED = 404;

/**
 * Turns the one-time token of a private media into a session, which every URL then carries.
 *
 * The session stays with the tab: a page that is loaded again in it goes on, while another
 * tab finds the token used up: null. Without an answer the URLs stay as they are, and the
 * player tells what becomes of them.
 */
export async function inSession(media: Media): Promise<Media | null> {
  if (media.session === null) return media;
  const session = kept(media.session) ?? (await begin(media.session));
  if (typeof session === 'string') return carrying(media, session);
  return session === REFUSED ? null : media;
}

/** Returns a media all of whose URLs carry a session. */
export function carrying(media: Media, session: string): Media {
  const carry = (url: string): string =>
    `${url}${url.includes('?') ? '&' : '?'}${PARAMETER}=${encodeURIComponent(session)}`;
  const carryIfAny = (url: string | null): string | null => (url === null ? null : carry(url));
  return {
    ...media,
    hls: carry(media.hls),
    poster: carryIfAny(media.poster),
    mp4: carryIfAny(media.mp4),
    storyboard: carryIfAny(media.storyboard),
    chapters: Object.fromEntries(
      Object.entries(media.chapters).map(([language, url]) => [language, carry(url)]),
    ),
  };
}

/** Returns a session, or the status of an answer that has none; 0: there was no answer. */
async function begin(url: string): Promise<string | number> {
  try {
    const answer = await fetch(url, { cache: 'no-store' });
    if (!answer.ok) return answer.status;
    const { session_token: session } = (await answer.json()) as { session_token: string };
    keep(url, session);
    return session;
  } catch {
    return 0;
  }
}

/** Browsers may keep the storage from a page inside another site's: then a reload ends it. */
function kept(url: string): string | null {
  try {
    return sessionStorage.getItem(url);
  } catch {
    return null;
  }
}

function keep(url: string, session: string): void {
  try {
    sessionStorage.setItem(url, session);
  } catch {
    // As above.
  }
}
