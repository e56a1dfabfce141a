import { element } from '../elements';
import { AdError, PATIENCE_MS } from './fetching';
import { chooseFile, fillMacros, type Ad } from './vast';

const QUARTILES = ['firstQuartile', 'midpoint', 'thirdQuartile'] as const;

/** Asks for tracking URLs, as nobody waits for their answers. */
export function track(urls: readonly string[], values: Record<string, string> = {}): void {
  const macros = {
    CACHEBUSTING: String(Math.floor(Math.random() * 1e8)).padStart(8, '0'),
    TIMESTAMP: new Date().toISOString(),
    ...values,
  };
  for (const url of urls) new Image().src = fillMacros(url, macros);
}

/** Plays one advertisement in a video element of its own, over the picture. */
export class AdView {
  private readonly video = element('video', 'ad__video');
  private readonly skipButton = element('button', 'ad__skip');
  private readonly left = element('span', 'ad__left');
  private readonly root: HTMLElement;
  private told = 0;
  private stallTimer: number | undefined;
  private onStall: () => void = () => undefined;
  private end: () => void = () => undefined;

  constructor(
    private readonly stage: HTMLElement,
    content: HTMLVideoElement,
    private readonly ad: Ad,
  ) {
    this.skipButton.type = 'button';
    const label = element('p', 'ad__label', 'Advertisement ', this.left);
    this.root = element('div', 'ad', this.video, label, this.skipButton);
    if (ad.clickThrough !== null) {
      const link = element('a', 'ad__link', 'Learn more');
      link.href = ad.clickThrough;
      link.target = '_blank';
      link.rel = 'noopener';
      link.addEventListener('click', () => {
        this.video.pause();
        track(ad.clickTracking);
      });
      this.root.append(link);
    }
    this.video.playsInline = true;
    this.video.muted = content.muted;
    this.video.volume = content.volume;
    this.video.addEventListener('click', () => void this.video.play());
    this.video.addEventListener('timeupdate', () => this.refresh());
    this.video.addEventListener('pause', () => this.tell('pause'));
    this.video.addEventListener('volumechange', () => {
      this.tell(this.video.muted ? 'mute' : 'unmute');
    });
  }

  /** Ends when it ended, was skipped, or cannot be played. Throws AdError. */
  async play(): Promise<void> {
    const canPlay = (type: string) => this.video.canPlayType(type) !== '';
    const file = chooseFile(this.ad.files, this.stage.clientWidth, canPlay);
    if (file === undefined) throw new AdError(403, this.ad.errors);
    this.video.src = file.url;
    this.stage.append(this.root);
    this.stage.classList.add('player--ad');
    try {
      await this.run();
    } finally {
      window.clearTimeout(this.stallTimer);
      this.video.pause();
      this.video.removeAttribute('src');
      this.root.remove();
      this.stage.classList.remove('player--ad');
    }
  }

  /** Takes it off the screen: the media that it came with is gone. */
  stop(): void {
    this.end();
  }

  private async run(): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.end = resolve;
      this.video.addEventListener('ended', () => {
        this.tell('complete');
        resolve();
      });
      this.skipButton.addEventListener('click', () => {
        this.tell('skip');
        resolve();
      });
      this.video.addEventListener('error', () => reject(new AdError(400, this.ad.errors)));
      // A file that does not begin, or does not go on, is left.
      this.onStall = () => reject(new AdError(402, this.ad.errors));
      this.video.addEventListener('timeupdate', () => this.expectMore());
      this.video.addEventListener('play', () => this.expectMore());
      this.video.addEventListener('pause', () => window.clearTimeout(this.stallTimer));
    });
    this.expectMore();
    // Where sound is refused, it plays without, as the content would.
    const begun = this.video.play().catch(() => {
      this.video.muted = true;
      return this.video.play();
    });
    begun.then(() => this.begin()).catch(() => undefined); // `ended` tells why
    this.refresh();
    await ended;
  }

  private expectMore(): void {
    window.clearTimeout(this.stallTimer);
    this.stallTimer = window.setTimeout(() => this.onStall(), PATIENCE_MS);
  }

  private begin(): void {
    track(this.ad.impressions);
    this.tell('creativeView');
    this.tell('start');
  }

  private refresh(): void {
    const { currentTime, duration } = this.video;
    if (!Number.isFinite(duration)) {
      this.skipButton.hidden = true;
      return;
    }
    this.left.textContent = `· ${Math.ceil(duration - currentTime)} s`;
    const quarter = Math.min(QUARTILES.length, Math.floor((currentTime / duration) * 4));
    while (this.told < quarter) this.tell(QUARTILES[this.told++] ?? '');
    const { skip } = this.ad;
    this.skipButton.hidden = skip === null;
    if (skip === null) return;
    const waitS = Math.ceil(('seconds' in skip ? skip.seconds : skip.share * duration) - currentTime);
    this.skipButton.disabled = waitS > 0;
    this.skipButton.textContent = waitS > 0 ? `Skip in ${waitS}` : 'Skip';
  }

  private tell(event: string): void {
    track(this.ad.tracking.get(event) ?? []);
  }
}
