/** States in words. */

import type { Ingest, Status, Step, Work } from './documents';

export type Tone = 'quiet' | 'busy' | 'good' | 'bad';

export interface State {
  kind: 'waiting' | 'arriving' | 'preparing' | 'encoding' | 'ready' | 'partly' | 'failed';
  text: string;
  tone: Tone;
  /** How far it is, of 1; null where nobody knows. */
  share: number | null;
}

const SENT = 'uploading';
const FETCHED = 'ingesting';

/** Says in words how far a video has come. */
export function stateOf({ ingest, encoding }: Status): State {
  const qualities = encoding.qualities.filter(({ type }) => type === 'hls');
  const count = (status: string) => qualities.filter((each) => each.status === status).length;
  const failed = count('failed');
  const encoded = count('encoded');
  const of = `${encoded} of ${qualities.length}`;
  if (!encoding.playable && failed > 0) return told('failed', 'Failed', 'bad');
  if (ingest === null) return told('waiting', 'Waiting for a file', 'quiet');
  if (ingest.status === SENT || ingest.status === FETCHED) {
    const share = arrived(ingest);
    const much = share === null ? '' : `, ${Math.floor(100 * share)} %`;
    const how = ingest.status === SENT ? 'Uploading' : 'Fetching the file';
    return told('arriving', `${how}${much}${encoding.playable ? '; plays already' : ''}`, 'busy', share);
  }
  if (!encoding.playable || qualities.length === 0) {
    return told('preparing', 'Being prepared', 'busy');
  }
  if (encoded === qualities.length) return told('ready', 'Ready', 'good');
  if (encoded + failed === qualities.length) {
    const much = encoded === 0 ? 'Plays in part' : 'Plays';
    return told('partly', `${much}, ${failed} of ${qualities.length} failed`, 'bad');
  }
  const share = encoded / qualities.length;
  return told('encoding', `Playable, ${of} encoded`, 'busy', share);
}

function told(kind: State['kind'], text: string, tone: Tone, share: number | null = null): State {
  return { kind, text, tone, share };
}

function arrived(ingest: Ingest): number | null {
  const parts = ingest.receivedParts;
  if (parts) return parts.total ? parts.parts.length / parts.total : null;
  const total = ingest.filesize ?? ingest.receivedBytes[0]?.total ?? null;
  if (!total) return null;
  const bytes = ingest.receivedBytes.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  return Math.min(1, bytes / total);
}

/** Tells whether a state changes by itself. */
export function goesOn({ kind }: State): boolean {
  return kind === 'arriving' || kind === 'preparing' || kind === 'encoding';
}

const QUALITIES: Record<string, [string, Tone]> = {
  waiting: ['Waits for its turn', 'quiet'],
  encoding: ['Being encoded', 'busy'],
  encoded: ['Encoded', 'good'],
  failed: ['Failed', 'bad'],
};

export function qualityState(state: string): [string, Tone] {
  return QUALITIES[state] ?? [state, 'quiet'];
}

const STEPS: Record<string, [string, Tone]> = {
  waiting: ['Waits', 'quiet'],
  running: ['Running', 'busy'],
  retrying: ['Will be tried again', 'busy'],
  done: ['Done', 'good'],
  failed: ['Failed', 'bad'],
};

export function stepState(state: string): [string, Tone] {
  return STEPS[state] ?? [state, 'quiet'];
}

const NAMES: Record<string, string> = {
  download: 'Download the file',
  copy: 'Copy the file of another video',
  probe: 'Look at the file',
  'early look': 'Look at what has come of the file',
  'end of the upload': 'Join the end of the upload',
  thumbnail: 'Take the poster picture',
  storyboard: 'Make preview pictures',
  report: 'Check the result',
  transcript: 'Write down what is said',
  summary: 'Sum up what is said',
};

/** Says what a step does; numbers of stretches begin with 1. */
export function stepName(name: string): string {
  const known = NAMES[name];
  if (known !== undefined) return known;
  const [first = '', rest = ''] = [name.replace(/ \S*$/, ''), name.split(' ').at(-1)];
  const number = /^\d+$/.test(rest) ? Number(rest) + 1 : null;
  if (first === 'finish') return `Finish ${rest}`;
  if (first === 'on demand') return `Encode ${rest} for a viewer`;
  if (number === null) return name;
  if (first === 'chunk') return `Encode pictures, part ${number}`;
  if (first === 'audio') return `Encode sound, part ${number}`;
  return `Encode ${first.toUpperCase()}, part ${number}`;
}

const KEPT =
  'Nothing more happens by itself. The uploaded file is kept: try again, or download it and look at it.';
const WITHOUT = 'Nothing more happens by itself; the video does without.';

/** Says what happens next to a step that failed; `retried`: there is a button for that. */
export function nextOf({ next }: Step, retried: boolean): string | null {
  // The API tells programs which requests to make; here are buttons for them.
  if (next === null || !next.includes('/retry')) return next;
  return retried ? KEPT : WITHOUT;
}

/** Tells whether a video is whole without a step. */
function isAside(name: string): boolean {
  return name.startsWith('on demand') || ['thumbnail', 'storyboard', 'report', 'transcript', 'summary'].includes(name);
}

/** Steps that somebody may want to look at, and those that are over and well. */
export function sorted(steps: Step[]): { open: Step[]; done: Step[] } {
  const rank = ['failed', 'retrying', 'running'];
  const open = steps.filter(({ state }) => state !== 'done');
  const place = ({ state, name }: Step) =>
    (rank.includes(state) ? rank.indexOf(state) : rank.length) + (isAside(name) ? 0.5 : 0);
  return {
    open: open.toSorted((one, other) => place(one) - place(other)),
    done: steps.filter(({ state }) => state === 'done'),
  };
}

/** Why a video, or some of it, failed: each reason once. */
export function reasonsOf(work: Work): string[] {
  const found = [work.reason, ...work.renditions.map(({ reason }) => reason)];
  const all = found.filter((each) => each !== null);
  if (all.length === 0 && work.state === 'failed') {
    const step = work.steps.findLast(({ state, reason }) => state === 'failed' && reason !== null);
    if (step?.reason) all.push(step.reason);
  }
  return [...new Set(all)];
}

/** Tells whether there is something that can be tried again. */
export function canRetry(work: Work): boolean {
  return work.state === 'failed' || work.renditions.some(({ state }) => state === 'failed');
}
