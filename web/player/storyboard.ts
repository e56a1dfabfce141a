import { element } from './elements';
import type { Player } from './player';
import { cueAt, fetchVtt, type Cue } from './vtt';

const WIDEST_PX = 160;
/** The pictures of a new video are made while its first viewers are there already. */
const ASK_AGAIN_MS = 10_000;

/** A part of a picture, as a cue of a storyboard names it: `url#xywh=x,y,w,h`. */
export interface Tile {
  url: string;
  xPx: number;
  yPx: number;
  widthPx: number;
  heightPx: number;
}

/** Shows what is at a moment of the video, out of the storyboard's pictures. */
export class Storyboard {
  readonly root = element('div', 'preview');
  private readonly image = element('img', 'preview__image');
  private cues: readonly Cue[] = [];
  private base = '';
  private askAtMs = 0;
  private atS = 0;

  constructor(private readonly player: Player) {
    this.image.alt = '';
    this.root.append(this.image);
    this.root.hidden = true;
    player.addEventListener('mediachange', () => {
      this.cues = [];
      this.askAtMs = 0;
      this.root.hidden = true;
    });
  }

  /** Shows the picture at `timeS`; the first call fetches the storyboard. */
  show(timeS: number): void {
    this.atS = timeS;
    void this.load();
    const tile = tileOf(cueAt(this.cues, timeS), this.base);
    this.root.hidden = tile === null;
    if (tile === null) return;
    const scale = Math.min(1, WIDEST_PX / tile.widthPx);
    const { style } = this.root;
    style.setProperty('width', `${tile.widthPx * scale}px`);
    style.setProperty('height', `${tile.heightPx * scale}px`);
    if (this.image.src !== tile.url) this.image.src = tile.url;
    const shift = `translate(${-tile.xPx * scale}px, ${-tile.yPx * scale}px) scale(${scale})`;
    this.image.style.setProperty('transform', shift);
  }

  private async load(): Promise<void> {
    const { media } = this.player;
    if (media.storyboard === null || this.cues.length > 0) return;
    if (performance.now() < this.askAtMs) return;
    this.askAtMs = performance.now() + ASK_AGAIN_MS;
    const cues = await fetchVtt(media.storyboard);
    if (media !== this.player.media) return;
    this.base = new URL(media.storyboard, location.href).href;
    this.cues = cues;
    // The pointer may rest by now where the first call was.
    if (cues.length > 0) this.show(this.atS);
  }
}

/** Reads the tile out of a cue; its URL is relative to the file's. */
export function tileOf(cue: Cue | undefined, base: string): Tile | null {
  const [, path, numbers] = /^(\S+)#xywh=(?:pixel:)?(\d+(?:,\d+){3})$/.exec(cue?.text ?? '') ?? [];
  if (path === undefined || numbers === undefined) return null;
  const [xPx = 0, yPx = 0, widthPx = 0, heightPx = 0] = numbers.split(',').map(Number);
  if (widthPx === 0 || heightPx === 0) return null;
  return { url: new URL(path, base).href, xPx, yPx, widthPx, heightPx };
}
