import { describe, expect, it } from 'vitest';
import { Client, Problem, type Session } from '../client';
import { MOST_BYTES, objection, PART_BYTES, Sending, titleOf, type SendPart } from '../sending';

const SESSION: Session = {
  access: 'a', refresh: 'r', until: Number.MAX_SAFE_INTEGER, environment: 'production', operator: null,
};
const AWAY = new Problem(0, 'unreachable', 'The connection broke.');

/** A file of so many bytes, none of which is ever read. */
function fileOf(size: number): File {
  const slice = (first: number, end: number) => ({ size: Math.min(end, size) - first });
  return { name: 'My film.mov', size, slice } as unknown as File;
}

function setUp(size: number, failures: (Error | null)[] = [], into: string | null = null) {
  const sent: [string, string, number][] = [];
  const pauses: number[] = [];
  const created: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    if (url === '/videos') created.push(`${init.body} ${headers.get('idempotency-key')}`);
    return Response.json({ videoId: 'vi1', access_token: 'b', refresh_token: 's', expires_in: 9 });
  };
  const shelf = { read: () => SESSION, write: () => {} };
  const send: SendPart = async (url, headers, part, _name, onSent) => {
    sent.push([url, headers['content-range'] ?? '', part.size]);
    onSent(part.size + 300); // the form around it counts as well
    const failure = failures.shift();
    if (failure) throw failure;
  };
  const pause = async (ms: number) => {
    pauses.push(ms);
  };
  const sending = new Sending(new Client(shelf, fetch), fileOf(size), into, send, pause);
  return { sending, sent, pauses, created };
}

const { signal } = new AbortController();

describe('sending a file', () => {
  it('makes a video and sends parts of 64 MiB', async () => {
    const { sending, sent, created } = setUp(2 * PART_BYTES + 5);
    const progress: number[] = [];
    expect(await sending.run((bytes) => progress.push(bytes), signal)).toBe('vi1');
    expect(created).toHaveLength(1);
    expect(created[0]).toContain('{"title":"My film"}');
    expect(sent).toEqual([
      ['/videos/vi1/source', 'part 1/3', PART_BYTES],
      ['/videos/vi1/source', 'part 2/3', PART_BYTES],
      ['/videos/vi1/source', 'part 3/3', 5],
    ]);
    expect(progress).toEqual([PART_BYTES, 2 * PART_BYTES, 2 * PART_BYTES + 5]);
  });

  it('sends a part again when the connection breaks, later each time', async () => {
    const { sending, sent, pauses } = setUp(10, [AWAY, new Problem(503, '', 'Full.', 30)]);
    await sending.run(() => {}, signal);
    expect(sent.map(([, range]) => range)).toEqual(['part 1/1', 'part 1/1', 'part 1/1']);
    expect(pauses).toEqual([1000, 30_000]);
  });

  it('goes on behind a part whose answer was lost', async () => {
    const already = new Problem(400, 'video-content-range-by-part-part-already-sent', 'Again.');
    const { sending, sent } = setUp(PART_BYTES + 1, [AWAY, already]);
    await sending.run(() => {}, signal);
    expect(sent.map(([, range]) => range)).toEqual(['part 1/2', 'part 1/2', 'part 2/2']);
  });

  it('renews a token that has ended meanwhile', async () => {
    const { sending, sent } = setUp(10, [new Problem(401, '', 'No.')]);
    await sending.run(() => {}, signal);
    expect(sent).toHaveLength(2);
  });

  it('gives up what the server refuses, and goes on where it was when asked to', async () => {
    const refused = new Problem(403, 'storage-quota-exceeded', 'There is no room.');
    const { sending, sent, created } = setUp(PART_BYTES + 1, [null, refused]);
    await expect(sending.run(() => {}, signal)).rejects.toThrow('There is no room.');
    await sending.run(() => {}, signal);
    expect(sent.map(([, range]) => range)).toEqual(['part 1/2', 'part 2/2', 'part 2/2']);
    expect(created).toHaveLength(1);
  });

  it('gives up after some attempts', async () => {
    const { sending, pauses } = setUp(10, Array<Error>(9).fill(AWAY));
    await expect(sending.run(() => {}, signal)).rejects.toThrow('The connection broke.');
    expect(pauses).toEqual([1000, 2000, 5000, 10_000, 20_000]);
  });

  it('fills a video that waits for a file, which is not its to delete', async () => {
    const { sending, sent, created } = setUp(10, [], 'vi2');
    expect(await sending.run(() => {}, signal)).toBe('vi2');
    expect([created, sent[0]?.[0], sending.made]).toEqual([[], '/videos/vi2/source', null]);
  });

  it('stops at once', async () => {
    const { sending, sent } = setUp(10);
    await expect(sending.run(() => {}, AbortSignal.abort())).rejects.toThrow();
    expect(sent).toEqual([]);
  });
});

describe('a file', () => {
  it('has limits', () => {
    expect(objection({ name: 'a', size: 0 })).toBe('The file is empty.');
    expect(objection({ name: 'a', size: MOST_BYTES + 1 })).toContain('30 GiB');
    expect(objection({ name: 'a', size: MOST_BYTES })).toBeNull();
  });

  it.each([
    ['My film.mov', 'My film'],
    ['v1.2 final.mp4', 'v1.2 final'],
    ['plain', 'plain'],
    ['.mp4', 'Untitled'],
  ])('%s becomes the title %s', (name, title) => {
    expect(titleOf(name)).toBe(title);
  });
});
