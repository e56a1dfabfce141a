import type { Player } from './player';
import { cueAt, fetchVtt, plainText, type Cue } from './vtt';

/** The chapters of the media in the viewer's language; fires `change`. */
export class Chapters extends EventTarget {
  list: readonly Cue[] = [];

  constructor(private readonly player: Player) {
    super();
    player.addEventListener('mediachange', () => void this.load());
    void this.load();
  }

  /** The title of the chapter at `timeS`, empty between chapters. */
  titleAt(timeS: number): string {
    return cueAt(this.list, timeS)?.text ?? '';
  }

  indexAt(timeS: number): number {
    return this.list.findLastIndex(({ startS }) => startS <= timeS);
  }

  private async load(): Promise<void> {
    const { media } = this.player;
    this.become([]);
    const url = inLanguage(media.chapters, navigator.languages);
    if (url === undefined) return;
    const cues = await fetchVtt(url);
    if (media !== this.player.media) return;
    this.become(cues.map((cue) => ({ ...cue, text: plainText(cue.text) })));
  }

  private become(list: readonly Cue[]): void {
    this.list = list;
    this.dispatchEvent(new Event('change'));
  }
}

/** Chooses by the viewer's languages: exactly, by the main language, else the first. */
export function inLanguage(
  files: Record<string, string>,
  languages: readonly string[],
): string | undefined {
  const tags = Object.keys(files);
  for (const wanted of languages) {
    const main = wanted.split('-')[0]?.toLowerCase();
    const tag =
      tags.find((each) => each.toLowerCase() === wanted.toLowerCase()) ??
      tags.find((each) => each.split('-')[0]?.toLowerCase() === main);
    if (tag !== undefined) return files[tag];
  }
  return files[tags[0] ?? ''];
}
