/** Loads what a page shows again and again, while somebody looks. */

/** Between two loads, in ms, while something goes on, and while nothing does. */
export const SOON_MS = 2500;
export const LATER_MS = 20_000;
/** What takes long is done less often: a pause lasts so many times as long as the load. */
const REST = 4;

/** Loads, and tells whether something goes on. It tells of failures itself. */
export type Load = (signal: AbortSignal) => Promise<boolean>;

export class Watch {
  private readonly stopping = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running = false;
  private wanted = false;

  constructor(private readonly load: Load) {
    const { signal } = this.stopping;
    const look = () => {
      if (document.visibilityState === 'visible') this.now();
    };
    document.addEventListener('visibilitychange', look, { signal });
    this.now();
  }

  /** Loads at once: something was changed. */
  now(): void {
    this.wanted = true;
    if (!this.running && !this.stopping.signal.aborted) void this.run();
  }

  stop(): void {
    this.stopping.abort();
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    clearTimeout(this.timer);
    this.running = true;
    let goesOn = false;
    const begin = performance.now();
    while (this.wanted && !this.stopping.signal.aborted) {
      this.wanted = false;
      goesOn = await this.load(this.stopping.signal);
    }
    this.running = false;
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(
      () => {
        // Who comes back is told at once.
        if (document.visibilityState === 'visible') this.now();
      },
      Math.max(goesOn ? SOON_MS : LATER_MS, REST * (performance.now() - begin)),
    );
  }
}
