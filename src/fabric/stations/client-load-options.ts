/**
 * What a load of clients is to do (client-load.ts), and how much room its requests take.
 *
 * Read twice: by population-regions.ts, which sizes the memory, and by the load itself, so both must agree.
 */
import { ChimneyError } from '../../base/errors.ts';

export interface CatalogFile {
  /** Path of the URI, with the leading slash. */
  readonly path: string;
  readonly size: number;
  /** In hexadecimal, lower case. */
  readonly sha256: string;
}

export interface ClientLoadOptions {
  /** Connections to make altogether. */
  readonly connections: number;
  /** Connections open at a time; TIME-WAIT does not count. */
  readonly concurrency: number;
  readonly catalog: readonly CatalogFile[];
  readonly seed: number;
  /** TIME-WAIT of the clients; 1,000 when absent. */
  readonly timeWaitTicks?: number;
  /** Length of a request: uniform between these, or what the path needs if that is more. */
  readonly requestBytesMin?: number;
  readonly requestBytesMax?: number;
  /** A connection that takes longer has failed. */
  readonly timeoutTicks?: number;
  /** Connections opened in one step at most, so that opening and receiving interleave. */
  readonly opensPerStep?: number;
}

export const LOAD_DEFAULTS = {
  timeWaitTicks: 1000,
  requestBytesMin: 100,
  requestBytesMax: 1000,
  timeoutTicks: 60_000,
  opensPerStep: 64,
} as const;

const VARIANTS_MAX = 64;
const VARIANTS_MIN = 4;
const TEXTS_MAX = 8192;
/** Bytes of a request besides path and padding, at most. */
const REQUEST_OVERHEAD = 128;

/** Requests prebuilt for each file: fewer when there are many files. */
export function requestVariants(load: ClientLoadOptions): number {
  return Math.min(VARIANTS_MAX, Math.max(VARIANTS_MIN, Math.floor(TEXTS_MAX / load.catalog.length)));
}

/** Room for one request text. */
export function requestTextBytes(load: ClientLoadOptions): number {
  const longest = load.catalog.reduce((length, file) => Math.max(length, file.path.length), 0);
  const bytes = Math.max(load.requestBytesMax ?? LOAD_DEFAULTS.requestBytesMax, longest + REQUEST_OVERHEAD);
  return Math.ceil(bytes / 64) * 64;
}

export function checkClientLoad(load: ClientLoadOptions): void {
  const { connections, concurrency, catalog } = load;
  const min = load.requestBytesMin ?? LOAD_DEFAULTS.requestBytesMin;
  const max = load.requestBytesMax ?? LOAD_DEFAULTS.requestBytesMax;
  let problem = '';
  if (!(connections >= 1) || !(concurrency >= 1)) problem = 'connections and concurrency are 1 or more';
  else if (catalog.length === 0) problem = 'the catalog has no file';
  else if (!(min <= max)) problem = 'requestBytesMin is above requestBytesMax';
  // RFC 1945 5.1.2: what stands in a request line must be printable ASCII without spaces.
  else if (!catalog.every(file => /^\/[!-~]*$/.test(file.path))) problem = 'a path is not /, then printable ASCII';
  if (problem !== '') throw new ChimneyError('ERR_CHIMNEY_CLIENT_LOAD', `client load: ${problem}`);
}
