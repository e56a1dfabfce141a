import { element, relabel } from './elements';
import { icon, type Icon } from './icons';

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
    /** Stands on the button in place of the choice. */
    private readonly symbol: Icon | null = null,
  ) {
    this.button.type = 'button';
    if (symbol !== null) this.button.className = 'button';
    this.button.setAttribute('aria-haspopup', 'menu');
    this.list.setAttribute('role', 'menu');
    this.list.setAttribute('aria-label', name);
    this.button.addEventListener('click', () => this.setOpen(!this.isOpen));
    this.root.addEventListener('keydown', (event) => this.onKey(event));
    this.root.addEventListener('focusout', (event) => {
      // Safari focuses no button that is pressed: no target says nothing.
      if (event.relatedTarget !== null) this.closeUnlessInside(event.relatedTarget);
    });
    document.addEventListener('pointerdown', (event) => this.closeUnlessInside(event.target));
    this.root.append(this.button, this.list);
    this.setOpen(false);
  }

  get isOpen(): boolean {
    return !this.list.hidden;
  }

  /** Shows `choices`; `label` stands on the closed button. */
  show(choices: readonly Choice[], chosen: number, label: string): void {
    const spoken = label === '' ? this.name : `${this.name}: ${label}`;
    if (this.symbol !== null) relabel(this.button, this.symbol, spoken);
    else this.button.textContent = label;
    this.button.title = this.name;
    this.button.setAttribute('aria-label', spoken);
    // In place where possible: an item that goes away under a pressed finger takes
    // the press with it.
    const values = choices.map(({ value }) => String(value)).join();
    if (this.list.dataset['values'] !== values) {
      this.list.dataset['values'] = values;
      this.list.replaceChildren(...choices.map(({ value }) => this.item(value)));
    }
    choices.forEach((choice, index) => {
      const item = this.items()[index];
      item?.setAttribute('aria-checked', String(choice.value === chosen));
      item?.lastChild?.replaceWith(choice.label);
    });
  }

  private item(value: number): HTMLButtonElement {
    const item = element('button', 'menu__item', icon('check'), '');
    item.type = 'button';
    item.tabIndex = -1;
    item.setAttribute('role', 'menuitemradio');
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
    if (!open) return;
    const first = this.list.querySelector<HTMLElement>('[aria-checked=true]') ?? this.items()[0];
    first?.focus();
  }

  private closeUnlessInside(target: EventTarget | null): void {
    if (!(target instanceof Node && this.root.contains(target))) this.setOpen(false);
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
    else if (event.key === 'Home') items[0]?.focus();
    else if (event.key === 'End') items.at(-1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the player's own keys mean something else
  }
}
