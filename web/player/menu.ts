import { element } from './elements';
import { icon } from './icons';

export interface Choice {
  value: number;
  label: string;
}

/** A button that opens a list of choices, of which one is taken. */
export class Menu {
  readonly root = element('div', 'menu');
  private readonly button = element('button', 'button button--text');
  private readonly list = element('div', 'menu__list');

  constructor(
    private readonly name: string,
    private readonly choose: (value: number) => void,
  ) {
    this.button.type = 'button';
    this.button.setAttribute('aria-haspopup', 'menu');
    this.list.setAttribute('role', 'menu');
    this.list.setAttribute('aria-label', name);
    this.button.addEventListener('click', () => this.setOpen(!this.isOpen));
    this.root.addEventListener('keydown', (event) => this.onKey(event));
    this.root.addEventListener('focusout', (event) => {
      if (!this.root.contains(event.relatedTarget as Node | null)) this.setOpen(false);
    });
    this.root.append(this.button, this.list);
    this.setOpen(false);
  }

  get isOpen(): boolean {
    return !this.list.hidden;
  }

  /** Shows `choices`; `label` stands on the closed button. */
  show(choices: readonly Choice[], chosen: number, label: string): void {
    this.button.textContent = label;
    this.button.title = this.name;
    this.button.setAttribute('aria-label', `${this.name}: ${label}`);
    const focused = this.items().findIndex((item) => item === document.activeElement);
    this.list.replaceChildren(...choices.map((choice) => this.item(choice, choice.value === chosen)));
    if (focused >= 0) this.items()[Math.min(focused, choices.length - 1)]?.focus();
  }

  private item({ value, label }: Choice, isChosen: boolean): HTMLButtonElement {
    const item = element('button', 'menu__item', icon('check'), label);
    item.type = 'button';
    item.tabIndex = -1;
    item.setAttribute('role', 'menuitemradio');
    item.setAttribute('aria-checked', String(isChosen));
    item.addEventListener('click', () => {
      this.choose(value);
      this.setOpen(false);
      this.button.focus();
    });
    return item;
  }

  private items(): HTMLButtonElement[] {
    return [...this.list.querySelectorAll('button')];
  }

  private setOpen(open: boolean): void {
    this.list.hidden = !open;
    this.button.setAttribute('aria-expanded', String(open));
    if (open) this.list.querySelector<HTMLElement>('[aria-checked=true]')?.focus();
  }

  private onKey(event: KeyboardEvent): void {
    if (!this.isOpen) return;
    const items = this.items();
    const at = items.findIndex((item) => item === document.activeElement);
    if (event.key === 'Escape') {
      this.setOpen(false);
      this.button.focus();
    } else if (event.key === 'ArrowDown') items[(at + 1) % items.length]?.focus();
    else if (event.key === 'ArrowUp') items.at((at < 1 ? items.length : at) - 1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the player's own keys mean something else
  }
}
