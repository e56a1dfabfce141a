import { icon, type Icon } from './icons';

/** Makes an element with a class and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

/** Makes a button that carries an icon and a name for those who do not see it. */
export function iconButton(name: Icon, label: string, onClick: () => void): HTMLButtonElement {
  const button = element('button', 'button', icon(name));
  button.type = 'button';
  relabel(button, name, label);
  button.addEventListener('click', onClick);
  return button;
}

/** Changes what an icon button shows and says. */
export function relabel(button: HTMLElement, name: Icon, label: string): void {
  if (button.dataset['icon'] !== name) {
    button.dataset['icon'] = name;
    button.replaceChildren(icon(name));
  }
  button.title = label;
  button.setAttribute('aria-label', label);
}

/** Makes a slider; `name` is what a screen reader calls it. */
export function slider(className: string, name: string, step: string): HTMLInputElement {
  const input = element('input', className);
  input.type = 'range';
  input.min = '0';
  input.step = step;
  input.value = '0';
  input.setAttribute('aria-label', name);
  return input;
}
