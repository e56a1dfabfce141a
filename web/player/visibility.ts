/** The controls by the names that embedding pages know them by. */
export const CONTROL_NAMES = [
  'play',
  'seekBackward',
  'seekForward',
  'playbackRate',
  'volume',
  'fullscreen',
  'subtitles',
  'chapters',
  'pictureInPicture',
  'progressBar',
  'chromecast',
  'download',
  'more',
] as const;

export type ControlName = (typeof CONTROL_NAMES)[number];

/**
 * Which controls are shown.
 *
 * After all were hidden, showing some shows only those, and more with each call. Fires
 * `change`, and `enabled` or `disabled` when the last one goes or the first one comes.
 */
export class Visibility extends EventTarget {
  private shown: Set<string>;

  constructor(hidden: boolean) {
    super();
    this.shown = new Set(hidden ? [] : CONTROL_NAMES);
  }

  get any(): boolean {
    return this.shown.size > 0;
  }

  has(name: ControlName): boolean {
    return this.shown.has(name);
  }

  hide(names: readonly string[] = CONTROL_NAMES): void {
    this.become(new Set([...this.shown].filter((name) => !names.includes(name))));
  }

  show(names: readonly string[] = CONTROL_NAMES): void {
    const known = names.filter((name) => (CONTROL_NAMES as readonly string[]).includes(name));
    this.become(new Set([...this.shown, ...known]));
  }

  private become(shown: Set<string>): void {
    const before = this.any;
    this.shown = shown;
    this.dispatchEvent(new Event('change'));
    if (this.any !== before) this.dispatchEvent(new Event(this.any ? 'enabled' : 'disabled'));
  }
}
