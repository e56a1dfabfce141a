/** How much script, compressed by gzip, viewers are made to load at most, in bytes. */
export interface Budget {
  /** Before the first frame: the page's script and all that it imports. */
  firstFrame: number;
  /** What follows in each page: controls, and the bridge to the embedding page. */
  controls: number;
  /** Each of what only some videos need. */
  onDemand: number;
  /** All of the dashboard, which is no viewer's. */
  dashboard: number;
}

/** What Vite tells of a file that it built. */
export interface Chunk {
  file: string;
  css?: string[];
  imports?: string[];
  isDynamicEntry?: boolean;
}

const FIRST = ['player/main.ts'];
const DASHBOARD = ['dashboard/main.ts'];
const CONTROLS = ['player/controls.ts', 'player/bridge.ts'];

/** Returns what is heavier than it may be, in words; nothing if all is well. */
export function tooHeavy(
  manifest: Record<string, Chunk>,
  sizeOf: (file: string) => number,
  budget: Budget,
): string[] {
  const found: string[] = [];
  const first = filesOf(manifest, FIRST);
  const controls = filesOf(manifest, CONTROLS);
  const check = (name: string, files: Set<string>, without: Set<string>, limit: number) => {
    const own = [...files].filter((file) => !without.has(file));
    const bytes = own.reduce((sum, file) => sum + sizeOf(file), 0);
    if (bytes > limit) found.push(`${name}: ${bytes} bytes of ${limit}`);
  };
  check('before the first frame', first, new Set(), budget.firstFrame);
  check('controls', controls, first, budget.controls);
  const always = new Set([...first, ...controls]);
  for (const [name, chunk] of Object.entries(manifest)) {
    if (chunk.isDynamicEntry !== true || CONTROLS.includes(name)) continue;
    check(name, filesOf(manifest, [name]), always, budget.onDemand);
  }
  const dashboard = filesOf(manifest, DASHBOARD);
  check('dashboard', dashboard, new Set(), budget.dashboard);
  const shared = [...dashboard].filter((file) => always.has(file));
  if (shared.length > 0) found.push(`viewers load what the dashboard is made of: ${shared.join(', ')}`);
  return found;
}

/** Returns the files of chunks, with all that they import and their style sheets. */
function filesOf(manifest: Record<string, Chunk>, names: string[]): Set<string> {
  const files = new Set<string>();
  const seen = new Set<string>();
  for (const wanted = [...names]; wanted.length > 0; ) {
    const name = wanted.pop() as string;
    if (seen.has(name)) continue;
    seen.add(name);
    const chunk = manifest[name];
    if (chunk === undefined) throw new Error(`${name} is no chunk of its own any more`);
    for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file);
    wanted.push(...(chunk.imports ?? []));
  }
  return files;
}
