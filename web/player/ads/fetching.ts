import { errorUrls, parseVast, unwrap, type Ad } from './vast';

/** Who does not answer by then is not waited for: the video is what people came for. */
export const PATIENCE_MS = 5000;
const MOST_WRAPPERS = 5;

/** Why there is no advertisement, by the codes of VAST (4.2, section 2.3.6.3). */
export class AdError extends Error {
  constructor(
    readonly code: 100 | 300 | 301 | 302 | 303 | 400 | 402 | 403,
    readonly urls: readonly string[],
  ) {
    super(`advertisement: ${code}`);
  }
}

/** Fetches an XML document of somebody else's; returns its root. Throws AdError. */
export async function fetchXml(
  url: string,
  errors: readonly string[],
  signal = AbortSignal.timeout(PATIENCE_MS),
): Promise<Element> {
  let text: string;
  try {
    const answer = await fetch(url, { credentials: 'include', signal });
    if (!answer.ok) throw new AdError(301, errors);
    text = await answer.text();
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) throw new AdError(301, errors);
    throw error;
  }
  const document = new DOMParser().parseFromString(text, 'text/xml');
  if (document.querySelector('parsererror') !== null) throw new AdError(100, errors);
  return document.documentElement;
}

/** Finds the advertisement of a VAST document, through its wrappers. Throws AdError. */
export async function findAd(source: string | Element): Promise<Ad> {
  const wrappers: Ad[] = [];
  const errors = () => wrappers.flatMap((ad) => ad.errors);
  // Of all that lead to it together: viewers do not count how many there are.
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let root = typeof source === 'string' ? await fetchXml(source, [], signal) : source;
  for (;;) {
    const ad = parseVast(root);
    if (ad === null) throw new AdError(303, [...errors(), ...errorUrls(root)]);
    if (ad.wrapped === null) return unwrap(wrappers, ad);
    wrappers.push(ad);
    if (wrappers.length > MOST_WRAPPERS) throw new AdError(302, errors());
    root = await fetchXml(ad.wrapped, errors(), signal);
  }
}
