/** The address below `/dashboard`, and links that change it without loading the page anew. */

const ROOT = '/dashboard';

class Route {
  /** Without the root: `/` or `/videos/vi…`. */
  path = $state('/');
  query = $state.raw(new URLSearchParams());

  constructor() {
    this.read();
  }

  read(): void {
    this.path = location.pathname.slice(ROOT.length).replace(/\/$/, '') || '/';
    this.query = new URLSearchParams(location.search);
  }
}

export const route = new Route();

/** Returns an address; what is empty is left out of the query. */
export function to(path: string, query: Record<string, string | number | null> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, `${value}`])).toString();
  return `${ROOT}${path === '/' ? '' : path}${text === '' ? '' : `?${text}`}`;
}

/** Goes to an address of ours; `replace`: the one before is not worth going back to. */
export function go(url: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  route.read();
  if (!replace) scrollTo(0, 0);
}

/** Follows a link of ours; what opens a tab or leads elsewhere is the browser's. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || link.target !== '' || link.hasAttribute('download')) return;
  const { origin, pathname, search } = new URL(link.href, location.href);
  if (origin !== location.origin || !(pathname === ROOT || pathname.startsWith(`${ROOT}/`))) return;
  event.preventDefault();
  go(pathname + search);
}
