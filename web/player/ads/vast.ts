import { inside, isWebUrl, nameOf, textOf, urlsIn } from './xml';

/**
 * Reads VAST 2 to 4 documents (https://iabtechlab.com/standards/vast/): linear,
 * inline or wrapped. What else they may hold (companions, overlays, programs that
 * run in the page) is left out.
 */

export interface MediaFile {
  url: string;
  type: string;
  widthPx: number;
  heightPx: number;
}

/** A linear advertisement, or a wrapper (`wrapped` is not null) that leads to one. */
export interface Ad {
  /** Where the advertisement that this one wraps is to be had. */
  wrapped: string | null;
  files: MediaFile[];
  /** Seconds until the viewer may skip, null: they may not; a share of the length below 0. */
  skip: SkipOffset | null;
  clickThrough: string | null;
  clickTracking: string[];
  impressions: string[];
  errors: string[];
  /** URLs to ask for by event: `start`, `midpoint`, `complete`, `skip`, ... */
  tracking: Map<string, string[]>;
}

export type SkipOffset = { seconds: number } | { share: number };

/** Returns the first linear advertisement of a document's root, null for none. */
export function parseVast(root: Element): Ad | null {
  for (const ad of inside(root, 'Ad')) {
    const found = readAd(ad);
    if (found !== null) return found;
  }
  return null;
}

/** The URLs that a document without any advertisement wants to be told at. */
export function errorUrls(root: Element): string[] {
  return urlsIn(root, 'Error');
}

function readAd(ad: Element): Ad | null {
  const body = inside(ad, 'InLine')[0] ?? inside(ad, 'Wrapper')[0];
  if (body === undefined) return null;
  const isWrapper = nameOf(body) === 'Wrapper';
  const linear = inside(body, 'Creatives', 'Creative', 'Linear')[0];
  const wrapped = urlsIn(body, 'VASTAdTagURI')[0] ?? null;
  if (isWrapper ? wrapped === null : linear === undefined) return null;
  const clicks = (name: string) => (linear === undefined ? [] : urlsIn(linear, 'VideoClicks', name));
  return {
    wrapped: isWrapper ? wrapped : null,
    files: linear === undefined ? [] : readFiles(linear),
    skip: readOffset(linear?.getAttribute('skipoffset') ?? ''),
    clickThrough: clicks('ClickThrough')[0] ?? null,
    clickTracking: clicks('ClickTracking'),
    impressions: urlsIn(body, 'Impression'),
    errors: urlsIn(body, 'Error'),
    tracking: readTracking(linear),
  };
}

/** Files that can be played as they are: not streamed, not programs (VPAID, SIMID). */
function readFiles(linear: Element): MediaFile[] {
  return inside(linear, 'MediaFiles', 'MediaFile')
    .filter((file) => file.getAttribute('apiFramework') === null)
    .filter((file) => file.getAttribute('delivery') !== 'streaming')
    .map((file) => ({
      url: textOf(file),
      type: file.getAttribute('type') ?? '',
      widthPx: Number(file.getAttribute('width')) || 0,
      heightPx: Number(file.getAttribute('height')) || 0,
    }))
    .filter(({ url }) => isWebUrl(url));
}

function readTracking(linear: Element | undefined): Map<string, string[]> {
  const tracking = new Map<string, string[]>();
  const events = linear === undefined ? [] : inside(linear, 'TrackingEvents', 'Tracking');
  for (const each of events) {
    const event = each.getAttribute('event') ?? '';
    const url = textOf(each);
    if (isWebUrl(url)) tracking.set(event, [...(tracking.get(event) ?? []), url]);
  }
  return tracking;
}

/** Adds what the wrappers around an advertisement want to be told as well. */
export function unwrap(wrappers: readonly Ad[], inner: Ad): Ad {
  const tracking = new Map(inner.tracking);
  for (const wrapper of wrappers) {
    for (const [event, urls] of wrapper.tracking) {
      tracking.set(event, [...(tracking.get(event) ?? []), ...urls]);
    }
  }
  const all = [...wrappers, inner];
  return {
    ...inner,
    tracking,
    clickTracking: all.flatMap((ad) => ad.clickTracking),
    impressions: all.flatMap((ad) => ad.impressions),
    errors: all.flatMap((ad) => ad.errors),
  };
}

/** Chooses the file that fits the frame best: the smallest that fills it, else the largest. */
export function chooseFile(
  files: readonly MediaFile[],
  widthPx: number,
  canPlay: (type: string) => boolean,
): MediaFile | undefined {
  const playable = files.filter(({ type }) => canPlay(type));
  const bySize = playable.toSorted((left, right) => left.widthPx - right.widthPx);
  return bySize.find((file) => file.widthPx >= widthPx) ?? bySize.at(-1);
}

/** `hh:mm:ss(.mmm)` or `n%`. */
export function readOffset(value: string): SkipOffset | null {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(value.trim());
  if (share !== null) return { share: Number(share[1]) / 100 };
  const found = /^(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)$/.exec(value.trim());
  if (found === null) return null;
  return { seconds: Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3]) };
}

/** Fills in the macros of a tracking URL (VAST 4.2, section 6). */
export function fillMacros(url: string, values: Record<string, string>): string {
  return url.replace(/\[([A-Z]+)\]/g, (macro, name: string) =>
    Object.hasOwn(values, name) ? encodeURIComponent(values[name] ?? '') : macro,
  );
}
