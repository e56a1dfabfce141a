import { describe, expect, it } from 'vitest';
import { Client, Problem, problemOf, SignedOut, type Session } from '../client';

const HOUR_MS = 3_600_000;

interface Asked {
  url: string;
  method: string;
  authorization: string | null;
  body: string;
}

/** A server of answers by path, taken in order, and a clock. */
function setUp(answers: Record<string, (() => Response | Promise<Response>)[]>, held: Session | null = null) {
  const asked: Asked[] = [];
  const shelf = { held, read: () => shelf.held, write: (next: Session | null) => { shelf.held = next; } };
  const time = { now: 0 };
  const send = async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    asked.push({ url, method: init.method ?? 'GET', authorization: headers.get('authorization'), body: `${init.body ?? ''}` });
    const answer = answers[url.split('?')[0] ?? '']?.shift();
    if (answer === undefined) throw new Error(`nobody expected ${url}`);
    return answer();
  };
  return { client: new Client(shelf, send, () => time.now), asked, shelf, time };
}

const ok = (body: unknown) => () => Response.json(body);
const problem = (status: number, slug: string, title: string) => () =>
  new Response(JSON.stringify({ type: `https://docs.example/${slug}`, title, status }), { status });
const tokens = (access: string, refresh: string) =>
  ok({ access_token: access, refresh_token: refresh, expires_in: 3600 });

const HELD: Session = {
  access: 'a1', refresh: 'r1', until: HOUR_MS, environment: 'production', operator: null,
};

describe('signing in', () => {
  it('exchanges the key for tokens and keeps no key', async () => {
    const { client, asked, shelf } = setUp({
      '/auth/api-key': [tokens('a1', 'r1')],
      '/account': [ok({ environment: 'sandbox' })],
    });
    await client.signIn('key', null);
    expect(asked[0]?.body).toBe('{"apiKey":"key"}');
    expect(shelf.held).toEqual({ ...HELD, environment: 'sandbox' });
  });

  it('leaves nobody signed in with a wrong key', async () => {
    const wrong = problem(400, 'authentication-invalid-user-credentials', 'Wrong');
    const { client, shelf } = setUp({ '/auth/api-key': [wrong] });
    await expect(client.signIn('key', null)).rejects.toMatchObject({ status: 400, message: 'Wrong.' });
    expect(shelf.held).toBeNull();
  });

  it('refuses a wrong operator key in words', async () => {
    const { client, shelf } = setUp({
      '/auth/api-key': [tokens('a1', 'r1')],
      '/account': [ok({ environment: 'production' })],
      '/_/system': [problem(401, 'authentication-invalid-access-token', 'No')],
    });
    await expect(client.signIn('key', 'other')).rejects.toThrow('not the operator key');
    expect(shelf.held).toBeNull();
  });
});

describe('asking', () => {
  it('renews tokens before they end, once for all who ask', async () => {
    const { client, asked, shelf, time } = setUp(
      { '/auth/refresh': [tokens('a2', 'r2')], '/one': [ok(1)], '/two': [ok(2)] },
      HELD,
    );
    time.now = HOUR_MS - 30_000;
    expect(await Promise.all([client.ask('/one'), client.ask('/two')])).toEqual([1, 2]);
    expect(asked.map(({ url, authorization }) => [url, authorization])).toEqual([
      ['/auth/refresh', null],
      ['/one', 'Bearer a2'],
      ['/two', 'Bearer a2'],
    ]);
    expect(shelf.held).toMatchObject({ access: 'a2', refresh: 'r2', until: time.now + HOUR_MS });
  });

  it('renews a token that is refused, and asks again', async () => {
    const refused = problem(401, 'authentication-invalid-access-token', 'No');
    const { client, asked } = setUp(
      { '/auth/refresh': [tokens('a2', 'r2')], '/one': [refused, ok(1)] },
      HELD,
    );
    expect(await client.ask('/one', { query: { title: 'a&b', page: 2 } })).toBe(1);
    expect(asked.at(-1)).toMatchObject({ url: '/one?title=a%26b&page=2', authorization: 'Bearer a2' });
  });

  it('signs out when the key was revoked', async () => {
    const { client, shelf } = setUp(
      { '/one': [problem(401, 'x', 'No')], '/auth/refresh': [problem(400, 'x', 'No')] },
      HELD,
    );
    await expect(client.ask('/one')).rejects.toThrow(SignedOut);
    expect(shelf.held).toBeNull();
    await expect(client.ask('/one')).rejects.toThrow(SignedOut);
  });

  it('stays signed in while the server is away', async () => {
    const away = () => {
      throw new TypeError('Failed to fetch');
    };
    const { client, shelf, time } = setUp({ '/auth/refresh': [away, problem(503, '', '')] }, HELD);
    time.now = HOUR_MS;
    await expect(client.ask('/one')).rejects.toMatchObject({ status: 0, passing: true });
    await expect(client.ask('/one')).rejects.toMatchObject({ status: 503, passing: true });
    expect(shelf.held).toEqual(HELD);
  });

  it('signs nobody in again who went away meanwhile', async () => {
    const { client, shelf, time } = setUp({}, HELD);
    const answers: Record<string, (() => Response)[]> = { '/auth/refresh': [tokens('a2', 'r2')] };
    const leaving = new Client(shelf, async (url) => {
      client.signOut();
      return answers[url]?.shift()?.() as Response;
    }, () => time.now);
    time.now = HOUR_MS;
    await expect(leaving.ask('/one')).rejects.toThrow(SignedOut);
    expect(shelf.held).toBeNull();
  });

  it('has nothing to say to an empty answer', async () => {
    const { client, asked } = setUp({ '/videos/vi1': [() => new Response(null, { status: 204 })] }, HELD);
    expect(await client.ask('/videos/vi1', { method: 'DELETE' })).toBeUndefined();
    expect(asked[0]?.method).toBe('DELETE');
  });

  it('uses the operator key for what is the operator’s, and forgets a wrong one', async () => {
    const { client, asked, shelf } = setUp(
      { '/_/videos/vi1/jobs': [ok({}), problem(401, 'x', 'No')] },
      { ...HELD, operator: 'op' },
    );
    await client.ask('/_/videos/vi1/jobs', { as: 'operator' });
    expect(asked[0]?.authorization).toBe('Bearer op');
    await expect(client.ask('/_/videos/vi1/jobs', { as: 'operator' })).rejects.toMatchObject({ status: 401 });
    expect(shelf.held).toEqual(HELD);
  });
});

describe('a problem', () => {
  it('is told in sentences', () => {
    const body = JSON.stringify({ type: 'https://docs.example/too-big', title: 'Too big', detail: 'At most 3.' });
    expect(problemOf(400, body)).toMatchObject({ slug: 'too-big', message: 'Too big. At most 3.' });
  });

  it.each(['<html>Bad gateway</html>', '', '[]', '"x"', 'null'])('may be a proxy’s: %s', (body) => {
    const found = problemOf(502, body);
    expect(found).toBeInstanceOf(Problem);
    expect(found.message).toBe('The server answered 502.');
    expect(found.passing).toBe(true);
  });

  it('says when to come back', async () => {
    const answer = () => new Response('{"title":"Too many requests."}', { status: 429, headers: { 'retry-after': '7' } });
    const { client } = setUp({ '/one': [answer] }, HELD);
    await expect(client.ask('/one')).rejects.toMatchObject({ retryAfterS: 7, passing: true });
  });
});
