/** Sends a file in parts: a connection that breaks costs one part, not the file. */

import { Problem, problemOf, type Client } from './client';
import type { Video } from './documents';

export const PART_BYTES = 64 * 2 ** 20;
/** The largest source of a video. */
export const MOST_BYTES = 30 * 2 ** 30;

const ALREADY_SENT = 'video-content-range-by-part-part-already-sent';
/** Pauses before further attempts at a part, in ms. */
const PAUSES_MS = [1000, 2000, 5000, 10_000, 20_000];

/** Sends a part; `onSent` hears of bytes that have left. Throws Problem. */
export type SendPart = (
  url: string,
  headers: Record<string, string>,
  part: Blob,
  name: string,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
) => Promise<void>;

/** Says why a file cannot be uploaded; null if it can. */
export function objection(file: { name: string; size: number }): string | null {
  if (file.size === 0) return 'The file is empty.';
  return file.size > MOST_BYTES ? 'The file is larger than 30 GiB.' : null;
}

/** The title of a file's video: its name without the ending. */
export function titleOf(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, '').trim() || 'Untitled';
}

/** One upload; it may be stopped, and go on where it was. */
export class Sending {
  videoId: string | null = null;
  private readonly parts: number;
  /** Makes one video of several attempts to make it. */
  private readonly once = [...crypto.getRandomValues(new Uint32Array(4))].join('-');
  private next = 1;

  constructor(
    private readonly client: Client,
    private readonly file: File,
    /** The video that waits for the file; null: it gets one of its own. */
    private readonly into: string | null = null,
    private readonly send: SendPart = byXhr,
    private readonly pause: (ms: number, signal: AbortSignal) => Promise<void> = paused,
  ) {
    this.videoId = into;
    this.parts = Math.ceil(file.size / PART_BYTES);
  }

  /** Makes the video if there is none yet, and sends what is missing of it. Throws Problem. */
  async run(onProgress: (bytes: number) => void, signal: AbortSignal): Promise<string> {
    const id = (this.videoId ??= await this.create());
    for (; this.next <= this.parts; this.next++) {
      await this.insist(id, onProgress, signal);
    }
    return id;
  }

  /** The video that goes when the upload is given up; null if there is none, or was before. */
  get made(): string | null {
    return this.into === null ? this.videoId : null;
  }

  private async create(): Promise<string> {
    const video = await this.client.ask<Video>('/videos', {
      method: 'POST',
      json: { title: titleOf(this.file.name) },
      headers: { 'idempotency-key': this.once },
    });
    return video.videoId;
  }

  private async insist(id: string, onProgress: (bytes: number) => void, signal: AbortSignal) {
    const first = (this.next - 1) * PART_BYTES;
    const part = this.file.slice(first, first + PART_BYTES);
    for (let attempt = 0; ; attempt++) {
      try {
        signal.throwIfAborted();
        await this.sendPart(id, part, (sent) => onProgress(first + Math.min(sent, part.size)), signal);
        return;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.slug === ALREADY_SENT) return; // the answer to an earlier attempt was lost
        const pause = PAUSES_MS[attempt];
        if (!error.passing || pause === undefined) throw error;
        await this.pause(Math.max(pause, 1000 * (error.retryAfterS ?? 0)), signal);
      }
    }
  }

  private async sendPart(id: string, part: Blob, onSent: (bytes: number) => void, signal: AbortSignal) {
    const url = `/videos/${id}/source`;
    const range = { 'content-range': `part ${this.next}/${this.parts}` };
    const attempt = async (anew: boolean) => {
      const authorization = await this.client.authorization(anew);
      await this.send(url, { ...range, authorization }, part, this.file.name, onSent, signal);
    };
    try {
      await attempt(false);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      await attempt(true);
    }
  }
}

/** `fetch` does not tell how much of a body has left. */
const byXhr: SendPart = (url, headers, part, name, onSent, signal) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const end = (act: () => void) => () => {
      signal.removeEventListener('abort', stop);
      act();
    };
    request.open('POST', url);
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.upload.onprogress = ({ loaded }) => onSent(loaded);
    request.onload = end(() => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(problemOf(request.status, request.responseText, after(request)));
    });
    request.onerror = end(() => reject(new Problem(0, 'unreachable', 'The connection broke.')));
    request.onabort = end(() => reject(signal.reason));
    signal.addEventListener('abort', stop);
    const form = new FormData();
    form.append('file', part, name);
    request.send(form);
  });

function after(request: XMLHttpRequest): number | null {
  const seconds = Number(request.getResponseHeader('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds : null;
}

function paused(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
