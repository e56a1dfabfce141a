import { readOffset } from './vast';
import { inside, nameOf, urlsIn } from './xml';

/** One break of a VMAP document (https://www.iab.com/guidelines/vmap/, version 1.0). */
export interface AdBreak {
  at: 'start' | 'end' | { seconds: number } | { share: number };
  /** Where the VAST document of the break is, or its root itself. */
  source: string | Element;
}

/** Returns the linear breaks of a document; a VAST document is one before the start. */
export function parseBreaks(root: Element): AdBreak[] {
  if (nameOf(root) === 'VAST') return [{ at: 'start', source: root }];
  const found: AdBreak[] = [];
  for (const element of inside(root, 'AdBreak')) {
    if (!(element.getAttribute('breakType') ?? 'linear').split(',').includes('linear')) continue;
    const at = readPlace(element.getAttribute('timeOffset') ?? '');
    const source = readSource(element);
    if (at !== null && source !== null) found.push({ at, source });
  }
  return found;
}

function readPlace(value: string): AdBreak['at'] | null {
  if (value === 'start' || value === 'end') return value;
  return readOffset(value);
}

function readSource(element: Element): string | Element | null {
  const inline =
    inside(element, 'AdSource', 'VASTAdData', 'VAST')[0] ??
    inside(element, 'AdSource', 'VASTData', 'VAST')[0];
  return inline ?? urlsIn(element, 'AdSource', 'AdTagURI')[0] ?? null;
}

/** When a break is due in a video of `durationS`; the end is past every moment. */
export function dueS({ at }: AdBreak, durationS: number): number {
  if (at === 'start') return 0;
  if (at === 'end') return Number.POSITIVE_INFINITY;
  return 'seconds' in at ? at.seconds : at.share * durationS;
}
