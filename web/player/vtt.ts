/** One cue of a WebVTT file; `text` is what stands in it, markup and all. */
export interface Cue {
  startS: number;
  endS: number;
  text: string;
}

/** A file of a day in minutes has 1,440 chapters; more is not meant for people. */
const MOST_CUES = 10_000;

/**
 * Reads the cues of a WebVTT file (https://www.w3.org/TR/webvtt1/), in order of time.
 *
 * Settings, regions and styles are left out: chapters and previews have none.
 */
export function parseVtt(file: string): Cue[] {
  const cues: Cue[] = [];
  for (const block of file.replace(/\r\n?/g, '\n').split(/\n{2,}/)) {
    const lines = block.split('\n');
    const at = lines.findIndex((line) => line.includes('-->'));
    if (at < 0 || at > 1) continue;
    const [start = '', rest = ''] = (lines[at] ?? '').split('-->');
    const startS = readTimestamp(start.trim());
    const endS = readTimestamp(rest.trim().split(/\s/)[0] ?? '');
    if (startS === null || endS === null || endS <= startS) continue;
    cues.push({ startS, endS, text: lines.slice(at + 1).join('\n').trim() });
    if (cues.length === MOST_CUES) break;
  }
  return cues.sort((left, right) => left.startS - right.startS);
}

/** Takes tags and character references out of a cue's text. */
export function plainText(text: string): string {
  return text
    .replace(/<[^>]*>/g, '')
    .replace(/&(amp|lt|gt|nbsp|lrm|rlm);/g, (_, name: string) => REFERENCES[name] ?? '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The cue that is on at `timeS`. */
export function cueAt(cues: readonly Cue[], timeS: number): Cue | undefined {
  return cues.findLast(({ startS, endS }) => startS <= timeS && timeS < endS);
}

const REFERENCES: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  nbsp: ' ',
  lrm: '',
  rlm: '',
};

function readTimestamp(text: string): number | null {
  const found = /^(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})$/.exec(text);
  if (found === null) return null;
  const [hours = '0', minutes, seconds, thousandths] = found.slice(1);
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(thousandths) / 1000;
}

/** Fetches a WebVTT file; none is none, whatever the reason: it is only an extra. */
export async function fetchVtt(url: string): Promise<Cue[]> {
  try {
    const answer = await fetch(url);
    return answer.ok ? parseVtt(await answer.text()) : [];
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return []; // no network
  }
}
