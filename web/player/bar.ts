import { Captions, OFF } from './captions';
import type { Chapters } from './chapters';
import { clockText } from './clock';
import { element, iconButton, relabel } from './elements';
import { canFloat, setPictureInPicture, type Fullscreen } from './fullscreen';
import { Menu } from './menu';
import type { Player } from './player';
import { ProgressBar } from './progress';
import { AUTO } from './qualities';
import { RATES } from './rates';
import type { RemoteScreens } from './remote';
import type { ControlName, Visibility } from './visibility';
import { VolumeControl } from './volume';

export const STEP_S = 10;

/** The control bar; what does not fit a narrow frame waits behind its `more` button. */
export class ControlBar {
  readonly root = element('div', 'bar');
  private readonly play = iconButton('play', 'Play', () => this.player.toggle());
  private readonly back = iconButton('back', 'Back 10 seconds (j)', () => this.step(-STEP_S));
  private readonly forward = iconButton('forward', 'Forward 10 seconds (l)', () =>
    this.step(STEP_S),
  );
  private readonly expand = iconButton('expand', 'Full screen', () => this.toggleFullscreen());
  private readonly float = iconButton('pip', 'Picture in picture', () => this.toggleFloating());
  private readonly more = iconButton('more', 'More controls', () => this.setTray(!this.trayIsOpen));
  private readonly clock = element('span', 'clock');
  private readonly liveButton = element('button', 'live', 'Live');
  private readonly quality = new Menu('Quality', (index) => (this.player.quality = index));
  private readonly speed = new Menu('Speed', (rate) => (this.video.playbackRate = rate));
  private readonly subtitles: Menu;
  private readonly chapterMenu: Menu;
  private readonly download = element('a', 'button');
  private readonly tray: HTMLElement;
  private readonly named: readonly (readonly [ControlName, HTMLElement])[];

  constructor(
    private readonly player: Player,
    private readonly fullscreen: Fullscreen,
    private readonly captions: Captions,
    private readonly chapters: Chapters,
    private readonly visibility: Visibility,
  ) {
    this.subtitles = new Menu(
      'Captions',
      (index) => captions.choose(index, { remember: true }),
      'captions',
    );
    this.chapterMenu = new Menu('Chapters', (index) => this.jumpTo(index), 'chapters');
    const progress = new ProgressBar(player, chapters).root;
    const volume = new VolumeControl(this.video).root;
    this.liveButton.type = 'button';
    this.liveButton.addEventListener('click', () => player.seekToLiveEdge());
    relabel(this.download, 'download', 'Download');
    this.tray = element(
      'div',
      'tray',
      this.chapterMenu.root,
      this.speed.root,
      this.float,
      this.download,
    );
    this.named = [
      ['play', this.play],
      ['seekBackward', this.back],
      ['seekForward', this.forward],
      ['volume', volume],
      ['progressBar', progress],
      ['progressBar', this.clock],
      ['subtitles', this.subtitles.root],
      ['chapters', this.chapterMenu.root],
      ['playbackRate', this.speed.root],
      ['more', this.quality.root],
      ['pictureInPicture', this.float],
      ['download', this.download],
      ['more', this.more],
      ['fullscreen', this.expand],
    ];
    const row = element(
      'div',
      'bar__row',
      ...[this.play, this.back, this.forward, volume, this.clock, this.liveButton],
      element('span', 'bar__gap'),
      ...[this.tray, this.subtitles.root, this.quality.root, this.more, this.expand],
    );
    this.root.append(progress, row);
    this.listen();
    this.refresh();
    this.refreshMedia();
    this.refreshVisibility();
  }

  /** Puts the button for other screens into the bar, once that is known. */
  addRemote(remote: RemoteScreens): void {
    const name = remote.kind === 'airplay' ? 'AirPlay' : 'Cast';
    const button = iconButton(remote.kind === 'airplay' ? 'airplay' : 'cast', name, () =>
      void remote.choose(),
    );
    const refresh = () => {
      button.hidden = !remote.available || !this.visibility.has('chromecast');
      button.setAttribute('aria-pressed', String(remote.connected));
    };
    remote.addEventListener('change', refresh);
    this.visibility.addEventListener('change', refresh);
    refresh();
    this.tray.append(button);
  }

  /** Whether somebody is in the middle of something. */
  get isInUse(): boolean {
    const menus = [this.quality, this.speed, this.subtitles, this.chapterMenu];
    return this.trayIsOpen || menus.some(({ isOpen }) => isOpen);
  }

  private get video(): HTMLVideoElement {
    return this.player.video;
  }

  private listen(): void {
    const { video, player } = this;
    const happenings = ['play', 'pause', 'ended', 'timeupdate', 'durationchange', 'ratechange'];
    for (const name of [...happenings, 'progress', 'emptied']) {
      video.addEventListener(name, () => this.refresh());
    }
    for (const name of ['qualitieschange', 'qualitychange', 'statechange', 'mediachange']) {
      player.addEventListener(name, () => this.refreshMedia());
    }
    video.addEventListener('resize', () => this.refreshMedia());
    this.captions.addEventListener('change', () => this.refreshCaptions());
    this.chapters.addEventListener('change', () => this.refresh());
    this.visibility.addEventListener('change', () => this.refreshVisibility());
    document.addEventListener('fullscreenchange', () => this.refresh());
    document.addEventListener('pointerdown', ({ target }) => {
      if (!(target instanceof Node && this.root.contains(target))) this.setTray(false);
    });
    this.root.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.trayIsOpen) return;
      this.setTray(false);
      this.more.focus();
    });
  }

  private get trayIsOpen(): boolean {
    return this.tray.classList.contains('tray--open');
  }

  private setTray(open: boolean): void {
    this.tray.classList.toggle('tray--open', open);
    this.more.setAttribute('aria-expanded', String(open));
  }

  private step(seconds: number): void {
    this.player.seek(this.video.currentTime + seconds);
  }

  private jumpTo(index: number): void {
    const chapter = this.chapters.list[index];
    if (chapter !== undefined) this.player.seek(chapter.startS);
  }

  private toggleFullscreen(): void {
    void this.fullscreen.set(!this.fullscreen.isOn);
  }

  private toggleFloating(): void {
    void setPictureInPicture(this.video, document.pictureInPictureElement === null);
  }

  private refresh(): void {
    const { video, player } = this;
    if (video.ended) relabel(this.play, 'replay', 'Play again');
    else if (video.paused) relabel(this.play, 'play', 'Play (k)');
    else relabel(this.play, 'pause', 'Pause (k)');
    if (this.fullscreen.isOn) relabel(this.expand, 'shrink', 'Leave full screen (f)');
    else relabel(this.expand, 'expand', 'Full screen (f)');
    this.clock.textContent = player.media.live
      ? ''
      : `${clockText(video.currentTime)} / ${clockText(video.duration)}`;
    this.liveButton.hidden = !player.media.live;
    if (player.media.live) {
      const atEdge = player.isAtLiveEdge;
      this.liveButton.classList.toggle('live--now', atEdge);
      this.liveButton.setAttribute('aria-label', atEdge ? 'Live' : 'Go to live');
    }
    this.refreshSpeed();
    this.refreshChapters();
  }

  private refreshSpeed(): void {
    const { rate } = this.player;
    this.speed.root.hidden = this.player.media.live;
    if (this.speed.root.dataset['rate'] === String(rate)) return;
    this.speed.root.dataset['rate'] = String(rate);
    const choices = RATES.map((value) => ({ value, label: value === 1 ? 'Normal' : `${value}×` }));
    this.speed.show(choices, rate, `${rate}×`);
  }

  private refreshChapters(): void {
    const { list } = this.chapters;
    this.chapterMenu.root.hidden = list.length === 0;
    const at = this.chapters.indexAt(this.video.currentTime);
    const choices = list.map(({ startS, text }, value) => ({
      value,
      label: `${clockText(startS)}  ${text}`,
    }));
    this.chapterMenu.show(choices, at, list[at]?.text ?? '');
  }

  private refreshCaptions(): void {
    const { tracks, chosen } = this.captions;
    this.subtitles.root.hidden = tracks.length === 0;
    const choices = tracks.map(({ label, language }, value) => ({
      value,
      label: label || language || `Captions ${value + 1}`,
    }));
    const on = choices[chosen];
    this.subtitles.root.classList.toggle('menu--on', on !== undefined);
    this.subtitles.show([{ value: OFF, label: 'Off' }, ...choices], chosen, on?.label ?? 'Off');
  }

  private refreshMedia(): void {
    const { player } = this;
    const { qualities, quality, shownHeightPx, media } = player;
    const chosen = qualities.find(({ index }) => index === quality);
    const auto = shownHeightPx > 0 ? `Auto (${shownHeightPx}p)` : 'Auto';
    this.quality.root.hidden = qualities.length === 0;
    this.quality.show(
      [
        ...qualities.map(({ index, heightPx }) => ({ value: index, label: `${heightPx}p` })),
        { value: AUTO, label: auto },
      ],
      quality,
      chosen === undefined ? 'Auto' : `${chosen.heightPx}p`,
    );
    this.float.hidden = !canFloat(this.video);
    this.download.hidden = media.mp4 === null || player.state !== 'ready';
    if (media.mp4 !== null) this.download.href = downloadUrl(media.mp4);
    this.refreshCaptions();
    this.refresh();
  }

  private refreshVisibility(): void {
    const { visibility } = this;
    for (const [name, part] of this.named) part.toggleAttribute('data-off', !visibility.has(name));
    this.root.hidden = !visibility.any;
  }
}

/** The server answers `dl=1` with a file to keep instead of one to show. */
function downloadUrl(mp4: string): string {
  const url = new URL(mp4, location.href);
  url.searchParams.set('dl', '1');
  return url.href;
}
