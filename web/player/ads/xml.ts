/** Returns the elements at the end of a path of names below `parent`; prefixes do not count. */
export function inside(parent: Element, ...path: string[]): Element[] {
  return path.reduce<Element[]>(
    (parents, name) =>
      parents.flatMap(({ children }) => [...children].filter((child) => nameOf(child) === name)),
    [parent],
  );
}

export function nameOf(element: Element): string {
  return element.nodeName.split(':').at(-1) ?? '';
}

export function textOf(element: Element): string {
  return element.textContent.trim();
}

/** The web addresses in the elements at the end of a path; anything else may be a program. */
export function urlsIn(parent: Element, ...path: string[]): string[] {
  return inside(parent, ...path)
    .map(textOf)
    .filter(isWebUrl);
}

export function isWebUrl(url: string): boolean {
  return /^(https?:)?\/\//i.test(url);
}
