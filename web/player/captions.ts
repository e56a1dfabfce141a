import { element } from './elements';
import type { Player } from './player';

export const OFF = -1;

/** Where people who always want captions say so, for all videos of this site. */
const PREFERENCE = 'telecine-captions';
/** What is there in place of a language if somebody never wants any. */
const NEVER = 'off';

/**
 * The captions of the media and what is drawn of them.
 *
 * The tracks stay hidden and their cues are drawn here, as text and nothing else: whatever
 * markup or script a file of somebody's holds, it is never more than letters. They
 * stand above the controls, and in fullscreen, where the root is what fills the screen.
 * Fires `change`.
 */
export class Captions extends EventTarget {
  readonly root = element('div', 'captions');
  private track: TextTrack | null = null;
  /**
   * Whether captions are wanted: by the URL, by the embedding page, by the viewer. Null:
   * nobody has said so, and those that are the default of the video are on.
   */
  private wanted: boolean | null;

  constructor(private readonly player: Player) {
    super();
    const { video } = player;
    this.wanted = this.wish();
    this.root.setAttribute('aria-hidden', 'true'); // the sound says the same
    video.textTracks.addEventListener('addtrack', () => this.refresh());
    video.textTracks.addEventListener('removetrack', () => this.refresh());
    player.addEventListener('mediachange', () => {
      this.wanted = this.wish();
      this.refresh();
    });
    // Phones of Apple fill the screen with the video alone, and draw its captions.
    video.addEventListener('webkitbeginfullscreen', () => this.drawNatively(true));
    video.addEventListener('webkitendfullscreen', () => this.drawNatively(false));
    this.refresh();
  }

  get tracks(): TextTrack[] {
    return [...this.player.video.textTracks].filter(
      ({ kind }) => kind === 'subtitles' || kind === 'captions',
    );
  }

  /** The index of the track that is drawn, or OFF. */
  get chosen(): number {
    return this.track === null ? OFF : this.tracks.indexOf(this.track);
  }

  get isOn(): boolean {
    return this.track !== null;
  }

  /** Draws a track from now on. The viewer's own choice is kept for the next video. */
  choose(index: number, { remember = false } = {}): void {
    const track = this.tracks[index] ?? null;
    this.wanted = track !== null;
    if (remember) rememberChoice(track?.language ?? NEVER);
    this.draw(track);
  }

  /** Draws the track that fits the viewer best, or none. */
  show(on: boolean): void {
    this.wanted = on;
    this.draw(on ? (this.track ?? this.best()) : null);
  }

  /** What was said before there was anything to see. */
  private wish(): boolean | null {
    const { showSubtitles } = this.player.options;
    const choice = remembered();
    if (showSubtitles === true || choice === null) return showSubtitles;
    return choice !== NEVER;
  }

  /** The track that is the default of the video. */
  private get marked(): TextTrack | null {
    const { hls } = this.player;
    return hls?.subtitleTracks.find((track) => track.default)?.trackNode?.track ?? null;
  }

  private best(): TextTrack | null {
    const { tracks } = this;
    const inLanguage = (wanted: string | null) =>
      tracks.find(({ language }) => language.split('-')[0] === wanted?.split('-')[0]);
    const fitting = [remembered(), ...navigator.languages].map(inLanguage);
    return fitting[0] ?? this.marked ?? fitting.find((track) => track !== undefined) ?? tracks[0] ?? null;
  }

  private refresh(): void {
    if (this.track !== null && !this.tracks.includes(this.track)) this.track = null;
    const fitting = this.wanted === null ? this.marked : this.best();
    this.draw(this.wanted === false ? null : (this.track ?? fitting));
  }

  private draw(track: TextTrack | null): void {
    for (const each of this.tracks) {
      const mode = each === track ? 'hidden' : 'disabled';
      if (each.mode !== mode) each.mode = mode;
    }
    if (track !== this.track) {
      this.track?.removeEventListener('cuechange', this.onCues);
      this.track = track;
      track?.addEventListener('cuechange', this.onCues);
    }
    this.onCues();
    this.dispatchEvent(new Event('change'));
  }

  private readonly onCues = (): void => {
    const cues = [...(this.track?.activeCues ?? [])].filter((cue) => cue instanceof VTTCue);
    this.root.replaceChildren(
      ...cues.map((cue) => {
        // Parsed as WebVTT, which knows no script; only its letters are taken.
        const text = cue.getCueAsHTML().textContent ?? '';
        const line = element('span', 'captions__text', text);
        const row = element('div', 'captions__cue', line);
        row.classList.toggle('captions__cue--top', isHigh(cue));
        if (cue.align === 'start' || cue.align === 'left') row.classList.add('captions__cue--start');
        if (cue.align === 'end' || cue.align === 'right') row.classList.add('captions__cue--end');
        return row;
      }),
    );
  };

  private drawNatively(native: boolean): void {
    if (this.track !== null) this.track.mode = native ? 'showing' : 'hidden';
  }
}

/** Whether a cue asks for the upper half, as it does where the picture has text below. */
function isHigh({ line, snapToLines }: VTTCue): boolean {
  if (typeof line !== 'number') return false;
  return snapToLines ? line >= 0 && line < 8 : line < 50;
}

function remembered(): string | null {
  try {
    return localStorage.getItem(PREFERENCE);
  } catch {
    return null; // a frame of another site may be denied its storage
  }
}

function rememberChoice(choice: string): void {
  try {
    localStorage.setItem(PREFERENCE, choice);
  } catch {
    // As above: the choice then lasts as long as the page.
  }
}
