/** What the API answers, as far as it is shown here. */

export interface Assets {
  player: string;
  hls: string;
  thumbnail: string;
  mp4?: string;
}

export interface Video {
  videoId: string;
  title: string;
  description: string;
  public: boolean;
  createdAt: string;
  updatedAt: string;
  tags: string[];
  source: { type: string };
  assets: Assets | null;
}

export interface Page<T> {
  data: T[];
  pagination: { currentPage: number; pagesTotal: number; itemsTotal: number };
}

export interface Quality {
  type: 'hls' | 'mp4';
  quality: string;
  status: 'waiting' | 'encoding' | 'encoded' | 'failed';
}

export interface Facts {
  width: number | null;
  height: number | null;
  /** kbit/s */
  bitrate: number | null;
  /** seconds */
  duration: number | null;
  framerate: number | null;
  samplerate: number | null;
  videoCodec: string | null;
  audioCodec: string | null;
}

export interface Ingest {
  status: 'uploading' | 'uploaded' | 'ingesting' | 'ingested';
  filesize: number | null;
  /** Both ends inclusive. */
  receivedBytes: { from: number; to: number; total: number | null }[];
  receivedParts?: { parts: number[]; total: number | null } | null;
}

export interface Status {
  ingest: Ingest | null;
  encoding: { playable: boolean; qualities: Quality[]; metadata: Facts };
}

export interface Step {
  name: string;
  state: string;
  attempt: number;
  attempts: number;
  /** A share of 1. */
  progress: number | null;
  cpuS: number | null;
  reason: string | null;
  log: string[];
  next: string | null;
  startedAt: string;
  finishedAt: string | null;
}

export interface Rendition {
  name: string;
  state: string;
  passthrough: boolean;
  pieces: number;
  piecesStored: number;
  averageBps: number | null;
  reason: string | null;
}

export interface Words {
  state: string;
  reason: string | null;
}

/** What is being done to a video. */
export interface Work {
  state: string;
  reason: string | null;
  remarks: string[];
  playableAt: string | null;
  renditions: Rendition[];
  steps: Step[];
  transcript: Words | null;
  summary: Words | null;
}

export interface Check {
  name: string;
  passed: boolean;
  detail: string;
}

export interface RenditionReport {
  name: string;
  passed: boolean;
  checks: Check[];
  comparisons: { vmaf: number; ssim: number }[];
  remark: string | null;
}

export interface Report {
  createdAt: string;
  passed: boolean;
  renditions: RenditionReport[];
}
