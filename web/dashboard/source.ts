/** The uploaded file, for whoever has the operator's key. */

import { Problem, type Client } from './client';

/** More than this is no task for a browser's memory. */
export const MOST_IN_MEMORY_BYTES = 1e9;

/** Saves the file as the browser's user likes. Throws Problem. */
export async function saveSource(client: Client, videoId: string): Promise<void> {
  const answer = await client.answer(`/_/videos/${videoId}/source`, { as: 'operator' });
  const name = nameIn(answer.headers.get('content-disposition') ?? '') ?? `${videoId}.bin`;
  let content: Blob;
  try {
    content = await answer.blob();
  } catch {
    throw new Problem(0, 'unreachable', 'The connection broke.');
  }
  const url = URL.createObjectURL(content);
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  // The browser has taken hold of it when the click returns.
  URL.revokeObjectURL(url);
}

/** Returns the file name of a `Content-Disposition`. */
export function nameIn(header: string): string | null {
  const found = /filename\*=UTF-8''([^;]+)/i.exec(header)?.[1];
  return found === undefined ? null : decodeURIComponent(found);
}
