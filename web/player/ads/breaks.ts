import './ads.css';
import type { Player } from '../player';
import { AdError, fetchXml, findAd } from './fetching';
import { AdView, track } from './playing';
import { dueS, parseBreaks, type AdBreak } from './vmap';

/**
 * The advertisements of one media: VAST before it, VMAP before, in and after it.
 *
 * Whatever goes wrong with one, the video plays.
 */
export class AdBreaks {
  private breaks: AdBreak[] = [];
  private readonly known: Promise<void>;
  private busy = false;
  private view: AdView | null = null;

  constructor(
    private readonly stage: HTMLElement,
    private readonly player: Player,
    private readonly tagUrl: string,
  ) {
    this.known = this.load();
    player.addEventListener('mediachange', () => this.leave(), { once: true });
    player.video.addEventListener('timeupdate', () => void this.onTime());
    player.video.addEventListener('ended', () => void this.interrupt(Number.POSITIVE_INFINITY));
  }

  /** Plays what comes before the video; ends when it may begin. */
  async before(): Promise<void> {
    await this.known;
    await this.playUntil(0);
  }

  private leave(): void {
    this.breaks = [];
    this.view?.stop();
  }

  private async load(): Promise<void> {
    try {
      this.breaks = parseBreaks(await fetchXml(this.tagUrl, []));
    } catch (error) {
      report(error);
    }
  }

  private async onTime(): Promise<void> {
    const { video } = this.player;
    if (!video.paused) await this.interrupt(video.currentTime);
  }

  private async interrupt(timeS: number): Promise<void> {
    const { video } = this.player;
    if (this.busy || !this.breaks.some((each) => dueS(each, video.duration) <= timeS)) return;
    const goesOn = !video.ended;
    // To whoever listens the video goes on: the advertisement is not a pause of theirs.
    await this.player.interlude(async () => {
      video.pause();
      await this.playUntil(timeS);
      if (goesOn) await video.play();
    });
  }

  /** Plays every break that is due; of several that were jumped over, only the last. */
  private async playUntil(timeS: number): Promise<void> {
    const { duration } = this.player.video;
    const due = this.breaks.filter((each) => dueS(each, duration) <= timeS);
    this.breaks = this.breaks.filter((each) => !due.includes(each));
    const last = due.at(-1);
    if (last === undefined) return;
    this.busy = true;
    try {
      const ad = await findAd(last.source);
      this.view = new AdView(this.stage, this.player.video, ad);
      await this.view.play();
    } catch (error) {
      report(error);
    } finally {
      this.view = null;
      this.busy = false;
    }
  }
}

function report(error: unknown): void {
  if (!(error instanceof AdError)) throw error;
  track(error.urls, { ERRORCODE: String(error.code) });
}
