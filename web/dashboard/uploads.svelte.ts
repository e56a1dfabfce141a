/** The uploads of this tab: one after the other, whichever page is shown. */

import type { Client } from './client';
import { objection, Sending } from './sending';
import { sentence } from './signed.svelte';

export class Upload {
  readonly name: string;
  readonly size: number;
  state = $state<'queued' | 'sending' | 'sent' | 'failed'>('queued');
  sent = $state(0);
  reason = $state('');
  videoId = $state<string | null>(null);
  private readonly sending: Sending;
  private stopping = new AbortController();

  constructor(
    private readonly client: Client,
    file: File,
    into: string | null,
  ) {
    this.name = file.name;
    this.size = file.size;
    this.sending = new Sending(client, file, into);
    const refused = objection(file);
    if (refused !== null) [this.state, this.reason] = ['failed', refused];
  }

  /** Whether another attempt may help: it goes on where it was. */
  get canGoOn(): boolean {
    return this.state === 'failed' && this.size > 0 && objection(this) === null;
  }

  async run(): Promise<void> {
    this.state = 'sending';
    this.reason = '';
    this.stopping = new AbortController();
    const onProgress = (bytes: number) => {
      this.sent = bytes;
      this.videoId = this.sending.videoId;
    };
    try {
      this.videoId = await this.sending.run(onProgress, this.stopping.signal);
      this.sent = this.size;
      this.state = 'sent';
    } catch (error) {
      this.reason = sentence(error) ?? 'Stopped.';
      this.state = 'failed';
    }
  }

  /** Gives it up, and the video that was made for it. Throws Problem. */
  async giveUp(): Promise<void> {
    this.stopping.abort();
    const { made } = this.sending;
    if (made !== null) await this.client.ask(`/videos/${made}`, { method: 'DELETE' });
  }

  stop(): void {
    this.stopping.abort();
  }
}

class Uploads {
  all = $state.raw<Upload[]>([]);
  private running = false;

  get active(): boolean {
    return this.all.some(({ state }) => state === 'queued' || state === 'sending');
  }

  /** Uploads files, each to a video of its own, or one `into` the video that waits for it. */
  add(client: Client, files: Iterable<File>, into: string | null = null): void {
    this.all = [...this.all, ...Array.from(files, (file) => new Upload(client, file, into))];
    void this.pump();
  }

  goOn(upload: Upload): void {
    upload.state = 'queued';
    void this.pump();
  }

  forget(upload: Upload): void {
    this.all = this.all.filter((each) => each !== upload);
  }

  /** Stops all of them: nobody is signed in any more. */
  clear(): void {
    for (const upload of this.all) upload.stop();
    this.all = [];
  }

  private async pump(): Promise<void> {
    if (this.running) return;
    this.running = true;
    for (let next = this.next(); next !== undefined; next = this.next()) await next.run();
    this.running = false;
  }

  private next(): Upload | undefined {
    return this.all.find(({ state }) => state === 'queued');
  }
}

export const uploads = new Uploads();
