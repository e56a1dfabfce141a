import { describe, expect, it } from 'vitest';
import type { Ingest, Quality, Rendition, Status, Step, Work } from '../documents';
import { canRetry, goesOn, nextOf, reasonsOf, sorted, stateOf, stepName, stepState } from '../states';

const FACTS = {
  width: null, height: null, bitrate: null, duration: null, framerate: null,
  samplerate: null, videoCodec: null, audioCodec: null,
};

function status(ingest: Partial<Ingest> | null, playable = false, states: Quality['status'][] = []): Status {
  const qualities: Quality[] = states.map((each, at) => ({ type: 'hls', quality: `${at}p`, status: each }));
  if (playable) qualities.push({ type: 'mp4', quality: 'top', status: 'waiting' });
  return {
    ingest: ingest && { status: 'uploaded', filesize: null, receivedBytes: [], ...ingest },
    encoding: { playable, qualities, metadata: FACTS },
  };
}

describe('the state of a video', () => {
  const bytes = (to: number, total: number | null) => [{ from: 0, to, total }];
  it.each<[string, Status, string, boolean]>([
    ['nothing has come', status(null), 'Waiting for a file', false],
    ['parts come', status({ status: 'uploading', receivedParts: { parts: [1, 2], total: 8 } }), 'Uploading, 25 %', true],
    ['parts of nobody knows how many', status({ status: 'uploading', receivedParts: { parts: [1], total: null } }), 'Uploading', true],
    ['bytes come', status({ status: 'uploading', receivedBytes: bytes(499, 1000) }), 'Uploading, 50 %', true],
    ['it plays meanwhile', status({ status: 'uploading', filesize: 1000, receivedBytes: bytes(999, null) }, true, ['waiting']), 'Uploading, 100 %; plays already', true],
    ['it is fetched', status({ status: 'ingesting' }), 'Fetching the file', true],
    ['it is looked at', status({}), 'Being prepared', true],
    ['it plays', status({}, true, ['encoded', 'encoding', 'waiting']), 'Playable, 1 of 3 encoded', true],
    ['one failed, others go on', status({}, true, ['failed', 'encoding']), 'Playable, 0 of 2 encoded', true],
    ['all are done', status({}, true, ['encoded', 'encoded']), 'Ready', false],
    ['some failed', status({}, true, ['encoded', 'failed']), 'Plays, 1 of 2 failed', false],
    ['all failed behind its begin', status({}, true, ['failed', 'failed']), 'Plays in part, 2 of 2 failed', false],
    ['it failed', status({}, false, ['failed']), 'Failed', false],
    ['it could not be fetched', status({ status: 'ingesting' }, false, ['failed']), 'Failed', false],
  ])('when %s', (_, given, text, on) => {
    const state = stateOf(given);
    expect(state.text).toBe(text);
    expect(goesOn(state)).toBe(on);
  });
});

describe('steps', () => {
  it.each([
    ['probe', 'Look at the file'],
    ['chunk 0', 'Encode pictures, part 1'],
    ['audio 2', 'Encode sound, part 3'],
    ['hevc 4', 'Encode HEVC, part 5'],
    ['finish 720p', 'Finish 720p'],
    ['on demand 480p', 'Encode 480p for a viewer'],
    ['early look', 'Look at what has come of the file'],
    ['something new', 'something new'],
    ['novelty', 'novelty'],
  ])('%s is told as: %s', (name, words) => {
    expect(stepName(name)).toBe(words);
  });

  it('are told by what they need', () => {
    const names = (found: Step[]) => found.map(({ name }) => name);
    const { open, done } = sorted([
      step('probe', 'done'), step('chunk 0', 'running'), step('chunk 1', 'waiting'),
      step('chunk 2', 'retrying'), step('thumbnail', 'failed'), step('audio 0', 'failed'),
    ]);
    expect(names(open)).toEqual(['audio 0', 'thumbnail', 'chunk 2', 'chunk 0', 'chunk 1']);
    expect(names(done)).toEqual(['probe']);
  });

  it('say what happens next to people, not to programs', () => {
    expect(nextOf({ ...step('a', 'failed'), next: 'POST /_/videos/{videoId}/retry tries again.' }, true)).toContain('try again');
    expect(nextOf({ ...step('a', 'failed'), next: 'POST /_/videos/{videoId}/retry tries again.' }, false)).toContain('does without');
    expect(nextOf({ ...step('a', 'retrying'), next: 'It is tried again in a few seconds.' }, false)).toBe(
      'It is tried again in a few seconds.',
    );
    expect(nextOf(step('a', 'done'), true)).toBeNull();
  });

  it('may be in a state that nobody knew when this was written', () => {
    expect(stepState('dreaming')).toEqual(['dreaming', 'quiet']);
  });
});

describe('the work on a video', () => {
  it('tells each reason once', () => {
    const found = work({
      state: 'failed', reason: 'Too long.',
      renditions: [rendition('failed', 'Too long.'), rendition('failed', 'No room.'), rendition('encoded', null)],
    });
    expect(reasonsOf(found)).toEqual(['Too long.', 'No room.']);
    expect(canRetry(found)).toBe(true);
  });

  it('takes the reason of the last step where it has none itself', () => {
    const steps = [{ ...step('download', 'failed'), reason: 'Nobody answers.' }, step('probe', 'done')];
    expect(reasonsOf(work({ state: 'failed', steps }))).toEqual(['Nobody answers.']);
  });

  it('cannot be tried again while all is well', () => {
    expect(canRetry(work({ renditions: [rendition('encoding', null)] }))).toBe(false);
    expect(reasonsOf(work({}))).toEqual([]);
  });
});

function step(name: string, state: string): Step {
  return {
    name, state, attempt: 1, attempts: 5, progress: null, cpuS: null, reason: null, log: [],
    next: null, startedAt: '', finishedAt: null,
  };
}

function rendition(state: string, reason: string | null): Rendition {
  return { name: '720p', state, passthrough: false, pieces: 1, piecesStored: 0, averageBps: null, reason };
}

function work(changes: Partial<Work>): Work {
  return {
    state: 'planned', reason: null, remarks: [], playableAt: null, renditions: [], steps: [],
    transcript: null, summary: null, ...changes,
  };
}
