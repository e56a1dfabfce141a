import { element } from './elements';
import type { Player } from './player';
import { logoLink } from './theme';

/** What stands above the picture: the title and the logo. */
export class TitleBar {
  readonly root = element('header', 'top');
  private readonly title = element('h1', 'title');
  private readonly logo = element('a', 'logo');
  private readonly image = element('img', 'logo__image');

  constructor(private readonly player: Player) {
    this.logo.target = '_blank';
    this.logo.rel = 'noopener noreferrer';
    this.logo.append(this.image);
    // An image that is not there leaves no broken frame behind.
    this.image.addEventListener('error', () => (this.logo.hidden = true));
    this.root.append(this.title, this.logo);
    for (const name of ['mediachange', 'optionschange']) {
      player.addEventListener(name, () => this.refresh());
    }
    this.refresh();
  }

  private refresh(): void {
    const { media, options } = this.player;
    this.title.textContent = media.title;
    this.title.hidden = options.hideTitle || media.title === '';
    document.title = media.title;
    const { logo } = media.theme;
    this.logo.hidden = logo == null;
    if (logo != null) {
      const link = logoLink(logo.link);
      if (link === null) this.logo.removeAttribute('href');
      else this.logo.href = link;
      this.image.alt = link === null ? 'Logo' : new URL(link).hostname;
      if (this.image.getAttribute('src') !== logo.src) this.image.src = logo.src;
    }
    this.root.hidden = options.chromeless || (this.title.hidden && this.logo.hidden);
  }
}
