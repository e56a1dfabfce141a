type AppleVideo = HTMLVideoElement & {
  webkitShowPlaybackTargetPicker?: () => void;
  webkitCurrentPlaybackTargetIsWireless?: boolean;
};

type Kind = 'airplay' | 'chromecast';

/**
 * Other screens on the viewer's network, as far as the browser itself knows of them:
 * AirPlay in Safari, the Remote Playback API (https://w3c.github.io/remote-playback/) in
 * Chromium, which casts. No foreign script is needed or loaded.
 *
 * Fires `change` when one appears or goes, and `airplayConnected`, `airplayDisconnected`,
 * `chromecastConnected`, `chromecastDisconnected`.
 */
export class RemoteScreens extends EventTarget {
  readonly kind: Kind;
  available = false;
  connected = false;

  constructor(private readonly video: AppleVideo) {
    super();
    this.kind = typeof video.webkitShowPlaybackTargetPicker === 'function' ? 'airplay' : 'chromecast';
    if (this.kind === 'airplay') this.watchAirPlay();
    else void this.watchCast();
  }

  /** Opens the browser's list of screens. */
  async choose(): Promise<void> {
    if (this.kind === 'airplay') {
      this.video.webkitShowPlaybackTargetPicker?.();
      return;
    }
    try {
      await this.video.remote.prompt();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error; // the viewer changed their mind
    }
  }

  private watchAirPlay(): void {
    this.video.addEventListener('webkitplaybacktargetavailabilitychanged', (event) => {
      this.become((event as Event & { availability?: string }).availability === 'available');
    });
    this.video.addEventListener('webkitcurrentplaybacktargetiswirelesschanged', () => {
      this.connect(this.video.webkitCurrentPlaybackTargetIsWireless === true);
    });
  }

  private async watchCast(): Promise<void> {
    const { remote } = this.video;
    remote.addEventListener('connect', () => this.connect(true));
    remote.addEventListener('disconnect', () => this.connect(false));
    try {
      await remote.watchAvailability((available) => this.become(available));
    } catch (error) {
      // This browser, or this way of playing, cannot: no button then.
      if (!(error instanceof DOMException)) throw error;
    }
  }

  private become(available: boolean): void {
    this.available = available;
    this.dispatchEvent(new Event('change'));
  }

  private connect(connected: boolean): void {
    if (connected === this.connected) return;
    this.connected = connected;
    this.dispatchEvent(new Event(`${this.kind}${connected ? 'Connected' : 'Disconnected'}`));
    this.dispatchEvent(new Event('change'));
  }
}

export const REMOTE_EVENTS = [
  'airplayConnected',
  'airplayDisconnected',
  'chromecastConnected',
  'chromecastDisconnected',
] as const;
