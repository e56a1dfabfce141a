/** What the server tells the page about its media: the page's JSON island. */
export interface Media {
  id: string;
  title: string;
  hls: string;
  poster: string | null;
  /** Where the file can be downloaded; null when that is not allowed. */
  mp4: string | null;
  /** WebVTT list of small pictures; answers 202 until they are made. Null: no pictures. */
  storyboard: string | null;
}

/** Reads the JSON island; a page without one is a bug of the server. */
export function readMedia(page: Document): Media {
  const island = page.getElementById('telecine-media');
  if (island?.textContent == null) throw new Error('no #telecine-media on this page');
  return JSON.parse(island.textContent) as Media;
}
