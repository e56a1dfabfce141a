/** What a page's URL asks of the player: query first, the fragment wins. */
export interface Options {
  autoplay: boolean;
  muted: boolean;
  loop: boolean;
  hideControls: boolean;
  hideTitle: boolean;
  hidePoster: boolean;
  chromeless: boolean;
  /** Null: the page says nothing of captions, and those that are the default are on. */
  showSubtitles: boolean | null;
  hotkeys: boolean;
  /** The embedding page wants to control the player by messages. */
  api: boolean;
  startS: number | null;
  endS: number | null;
  /** Bounds of automatic quality: heights in pixels. */
  minQualityPx: number | null;
  maxQualityPx: number | null;
  /** Session of a private media. */
  session: string | null;
  metadata: Record<string, string>;
  adTagUrl: string | null;
  sdkPlayerId: number | null;
  sdkOrigin: string | null;
}

type Flag = {
  [K in keyof Options]: Options[K] extends boolean ? K : never;
}[keyof Options];

const QUERY_FLAGS: ReadonlySet<string> = new Set<Flag>([
  'autoplay',
  'muted',
  'loop',
  'hideControls',
  'hideTitle',
  'hidePoster',
  'chromeless',
]);

const FRAGMENT_FLAGS: ReadonlyMap<string, Flag> = new Map([
  ['autoplay', 'autoplay'],
  ['muted', 'muted'],
  ['loop', 'loop'],
  ['api', 'api'],
  ['hide-controls', 'hideControls'],
  ['hide-title', 'hideTitle'],
  ['hide-poster', 'hidePoster'],
  ['chromeless', 'chromeless'],
  ['hotkeys', 'hotkeys'],
]);

/**
 * Reads the options of an embed page's URL.
 *
 * Embedding code writes values raw and leaves empty `&&` and `;;` elements, so
 * nothing here throws: what cannot be understood is ignored.
 */
export function parseOptions(search: string, fragment: string): Options {
  const options: Options = {
    autoplay: false,
    muted: false,
    loop: false,
    hideControls: false,
    hideTitle: false,
    hidePoster: false,
    chromeless: false,
    showSubtitles: null,
    hotkeys: true,
    api: false,
    startS: null,
    endS: null,
    minQualityPx: null,
    maxQualityPx: null,
    session: null,
    metadata: {},
    adTagUrl: null,
    sdkPlayerId: null,
    sdkOrigin: null,
  };
  readQuery(options, search);
  for (const item of fragment.replace(/^#/, '').split(';')) readItem(options, item.trim());
  return options;
}

function readQuery(options: Options, search: string): void {
  for (const [name, value] of new URLSearchParams(search)) {
    const metadataKey = /^metadata\[(.+)\]$/.exec(name)?.[1];
    if (QUERY_FLAGS.has(name)) options[name as Flag] = isOn(value);
    else if (name === 'showSubtitles') options.showSubtitles = isOn(value);
    else if (metadataKey !== undefined) options.metadata[metadataKey] = value;
    else if (name === 'avh' && value !== '') options.session = value;
  }
}

/** One `name`, `name:value` or `name=value` of the fragment. */
function readItem(options: Options, item: string): void {
  const [, name, value] = /^([^:=]+)[:=]?(.*)$/s.exec(item) ?? [];
  if (name === undefined || value === undefined) return;
  const flag = FRAGMENT_FLAGS.get(name);
  if (flag !== undefined) {
    options[flag] = isOn(value);
    return;
  }
  switch (name) {
    case 't':
      [options.startS, options.endS] = readSequence(value);
      break;
    case 'show-subtitles':
      options.showSubtitles = isOn(value);
      break;
    case 'min-quality':
      options.minQualityPx = readPositive(value);
      break;
    case 'max-quality':
      options.maxQualityPx = readPositive(value);
      break;
    case 'adTagUrl':
      options.adTagUrl = decoded(value);
      break;
    case 'sdkPlayerId':
      options.sdkPlayerId = readPositive(value);
      break;
    case 'sdkOrigin':
      options.sdkOrigin = readOrigin(value);
      break;
  }
}

/** A flag without a value is on. */
function isOn(value: string): boolean {
  return value !== 'false' && value !== '0';
}

/** `x`, `x,y` or `,y`: where to start, where to pause; each ss, mm:ss or hh:mm:ss. */
function readSequence(value: string): [number | null, number | null] {
  const [start = '', end = ''] = value.split(',');
  const startS = readTime(start);
  const endS = readTime(end);
  return [startS, endS !== null && endS > (startS ?? 0) ? endS : null];
}

function readTime(value: string): number | null {
  if (!/^\d+(:\d+){0,2}(\.\d+)?$/.test(value)) return null;
  return value.split(':').reduce((total, part) => total * 60 + Number(part), 0);
}

function readPositive(value: string): number | null {
  const number = Number.parseInt(value, 10);
  return number > 0 ? number : null;
}

function decoded(value: string): string | null {
  try {
    return decodeURIComponent(value);
  } catch {
    return null; // not percent-encoded text
  }
}

function readOrigin(base64: string): string | null {
  try {
    const { origin } = new URL(atob(base64));
    return origin === 'null' ? null : origin;
  } catch {
    return null; // the SDK may bite holes into its own value
  }
}
