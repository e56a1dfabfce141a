/** The public API, for whoever has signed in: tokens are renewed unasked, failures are sentences. */

/** Who has signed in. */
export interface Session {
  access: string;
  refresh: string;
  /** When the access token ends, in ms since 1970. */
  until: number;
  environment: string;
  /** The operator's key, if it was given. */
  operator: string | null;
}

/** Where a session is kept. */
export interface Shelf {
  read(): Session | null;
  write(session: Session | null): void;
}

/** What the API answered in place of success; `message` is a sentence. */
export class Problem extends Error {
  constructor(
    /** HTTP status, 0 if there was no answer. */
    readonly status: number,
    /** The last part of the problem's type. */
    readonly slug: string,
    message: string,
    /** How long to wait before the next attempt, in seconds. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }

  /** Whether the same request may succeed soon. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Keys and tokens do not hold any more. */
export class SignedOut extends Error {}

interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export interface Request {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Record<string, string | number>;
  json?: unknown;
  headers?: Record<string, string>;
  /** Whose credentials go along. */
  as?: 'project' | 'operator';
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Tokens are renewed so long before their end, in ms. */
const MARGIN_MS = 60_000;

export class Client {
  private renewing: Promise<Session> | null = null;

  constructor(
    private readonly shelf: Shelf,
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
    private readonly now: () => number = Date.now,
  ) {}

  get session(): Session | null {
    return this.shelf.read();
  }

  /** Exchanges a key for tokens. Throws Problem if the server does not know it. */
  async signIn(apiKey: string, operator: string | null): Promise<void> {
    const answer = await this.open('/auth/api-key', { apiKey });
    const tokens = (await answer.json()) as Tokens;
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const account = (await succeeded(await this.send('/account', { headers }))).json();
    const { environment } = (await account) as { environment: string };
    if (operator !== null) await this.checkOperator(operator);
    this.shelf.write({ ...this.dated(tokens), environment, operator });
  }

  /** Adds the operator's key to the session. Throws Problem if it is another one. */
  async becomeOperator(operator: string): Promise<void> {
    await this.checkOperator(operator);
    const session = this.shelf.read();
    if (session === null) throw new SignedOut();
    this.shelf.write({ ...session, operator });
  }

  signOut(): void {
    this.shelf.write(null);
  }

  /** Asks for JSON. Throws Problem, or SignedOut after having signed out. */
  async ask<T>(path: string, request: Request = {}): Promise<T> {
    const answer = await this.answer(path, request);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  /** Does the same, and returns the answer as it is. */
  async answer(path: string, request: Request = {}): Promise<Response> {
    const given = Object.entries(request.query ?? {}).map(([name, value]) => [name, `${value}`]);
    const url = given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path;
    const init = (authorization: string): RequestInit => ({
      method: request.method ?? 'GET',
      headers: {
        ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
        authorization,
      },
      ...(request.json === undefined ? {} : { body: JSON.stringify(request.json) }),
    });
    if (request.as === 'operator') return this.asOperator(url, init);
    let answer = await this.send(url, init(await this.authorization()));
    if (answer.status === 401) answer = await this.send(url, init(await this.authorization(true)));
    if (answer.status === 401) this.end();
    return succeeded(answer);
  }

  /** Returns the header that says who asks; `anew`: the token that is held was refused. */
  async authorization(anew = false): Promise<string> {
    const session = this.shelf.read();
    if (session === null) throw new SignedOut();
    if (!anew && this.now() < session.until - MARGIN_MS) return `Bearer ${session.access}`;
    this.renewing ??= this.renew(session).finally(() => {
      this.renewing = null;
    });
    return `Bearer ${(await this.renewing).access}`;
  }

  private async asOperator(url: string, init: (by: string) => RequestInit): Promise<Response> {
    const session = this.shelf.read();
    if (session === null) throw new SignedOut();
    const answer = await this.send(url, init(`Bearer ${session.operator ?? ''}`));
    // It was changed since: the page asks for it again.
    if (answer.status === 401) this.shelf.write({ ...session, operator: null });
    return succeeded(answer);
  }

  private async renew(session: Session): Promise<Session> {
    let tokens: Tokens;
    try {
      const answer = await this.open('/auth/refresh', { refreshToken: session.refresh });
      tokens = (await answer.json()) as Tokens;
    } catch (error) {
      if (error instanceof Problem && !error.passing) this.end();
      throw error;
    }
    // What was changed meanwhile stays, but nobody is signed in again who has gone.
    const current = this.shelf.read();
    if (current === null) throw new SignedOut();
    const renewed = { ...current, ...this.dated(tokens) };
    this.shelf.write(renewed);
    return renewed;
  }

  private end(): never {
    this.shelf.write(null);
    throw new SignedOut();
  }

  private dated(tokens: Tokens): Pick<Session, 'access' | 'refresh' | 'until'> {
    const until = this.now() + tokens.expires_in * 1000;
    return { access: tokens.access_token, refresh: tokens.refresh_token, until };
  }

  private async checkOperator(operator: string): Promise<void> {
    try {
      const headers = { authorization: `Bearer ${operator}` };
      await succeeded(await this.send('/_/system', { headers }));
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      throw new Problem(401, error.slug, 'This is not the operator key of this server.');
    }
  }

  private async open(path: string, json: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(json) };
    return succeeded(await this.send(path, init));
  }

  private async send(url: string, init: RequestInit): Promise<Response> {
    try {
      return await this.fetch(url, { ...init, cache: 'no-store' });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new Problem(0, 'unreachable', 'The server does not answer.');
    }
  }
}

async function succeeded(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const after = Number(answer.headers.get('retry-after') ?? Number.NaN);
  throw problemOf(answer.status, await answer.text(), Number.isFinite(after) ? after : null);
}

/** Returns what the body of an answer says that is no success. */
export function problemOf(status: number, body: string, retryAfterS: number | null = null): Problem {
  let told: { type?: unknown; title?: unknown; detail?: unknown } = {};
  try {
    const read: unknown = JSON.parse(body);
    if (typeof read === 'object' && read !== null) told = read;
  } catch {
    // A proxy says something of its own.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value.trim() : '');
  const sentences = [told.title, told.detail].map(text).filter((each) => each !== '');
  const message = sentences.map((each) => (/[.!?]$/.test(each) ? each : `${each}.`)).join(' ');
  const slug = text(told.type).split('/').at(-1) ?? '';
  return new Problem(status, slug, message || `The server answered ${status}.`, retryAfterS);
}
