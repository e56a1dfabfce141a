/** A page of the list of videos, with the state of each. */

import { Problem, type Client } from './client';
import type { Page, Status, Video, Work } from './documents';
import { goesOn, reasonsOf, stateOf, type State } from './states';

export const PAGE_SIZE = 20;
/** Requests at a time: browsers have six connections for all. */
const AT_ONCE = 4;

interface Known {
  version: string;
  state: State;
  reason: string | null;
}

export class Listing {
  videos = $state.raw<Video[]>([]);
  total = $state(0);
  pages = $state(1);
  known = $state.raw<ReadonlyMap<string, Known>>(new Map());
  /** For words such as "a minute ago", in ms since 1970. */
  now = $state(Date.now());

  constructor(
    private readonly client: Client,
    readonly page: number,
    readonly title: string,
  ) {}

  /** Loads what is on the page. Throws Problem. */
  async list(): Promise<void> {
    const query = { currentPage: this.page, pageSize: PAGE_SIZE };
    const found = await this.client.ask<Page<Video>>('/videos', {
      query: this.title === '' ? query : { ...query, title: this.title },
    });
    this.videos = found.data;
    this.total = found.pagination.itemsTotal;
    this.pages = found.pagination.pagesTotal;
    this.now = Date.now();
  }

  /** Finds out the state of each; tells whether something goes on. Throws Problem. */
  async look(): Promise<boolean> {
    const rest = this.videos.filter((video) => !this.isSettled(video));
    const ask = async () => {
      for (let each = rest.shift(); each !== undefined; each = rest.shift()) await this.lookAt(each);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
    return this.videos.some(({ videoId }) => {
      const known = this.known.get(videoId);
      return known !== undefined && goesOn(known.state);
    });
  }

  /** Tells whether a video has come to its end, so that nobody has to ask. */
  private isSettled(video: Video): boolean {
    const known = this.known.get(video.videoId);
    return known?.version === video.updatedAt && known.state.kind === 'ready';
  }

  private async lookAt(video: Video): Promise<void> {
    const id = video.videoId;
    try {
      const state = stateOf(await this.client.ask<Status>(`/videos/${id}/status`));
      const reason = state.tone === 'bad' ? await this.reason(id) : null;
      this.known = new Map(this.known).set(id, { version: video.updatedAt, state, reason });
    } catch (error) {
      // It was deleted since the list was asked for, or the operator's key was changed.
      if (!(error instanceof Problem) || (error.status !== 404 && error.status !== 401)) throw error;
    }
  }

  private async reason(id: string): Promise<string | null> {
    if (!this.client.session?.operator) return null;
    const work = await this.client.ask<Work>(`/_/videos/${id}/jobs`, { as: 'operator' });
    return reasonsOf(work)[0] ?? null;
  }
}
