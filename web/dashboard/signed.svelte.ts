/** Who has signed in to this tab, and the client that asks in their name. */

import { Client, SignedOut, type Session } from './client';

const KEY = 'telecine.session';

function read(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null;
  } catch {
    return null; // it is another version's
  }
}

class Signed {
  /** Null: the page asks for a key. */
  session = $state.raw(read());
  /** Why it asks, where that is no choice of its user. */
  ended = $state(false);
}

export const signed = new Signed();

export const client = new Client({
  read: () => signed.session,
  write(session) {
    signed.session = session;
    if (session === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify(session));
  },
});

/** Says in a sentence what went wrong; null if only somebody has to sign in again. */
export function sentence(error: unknown): string | null {
  if (error instanceof SignedOut) {
    signed.ended = true;
    return null;
  }
  if (error instanceof Error && error.name === 'AbortError') return null;
  console.error(error);
  return error instanceof Error && error.message !== '' ? error.message : 'Something went wrong.';
}
