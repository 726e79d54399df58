/**
 * The figures that can be run as ladders, by name (R44). Each says how many connections take part unless told otherwise,
 * and how many can.
 */
import type { Ladder } from '../ladder.ts';
import { figure10 } from './figure10.ts';
import { figure3 } from './figure3.ts';
import { figure6 } from './figure6.ts';
import { figure7 } from './figure7.ts';
import { figure8 } from './figure8.ts';
import { figure9 } from './figure9.ts';
import type { FigureOptions } from './stage.ts';

interface Figure {
  readonly what: string;
  readonly run: (options: FigureOptions) => Ladder;
  readonly connections: { readonly default: number; readonly min: number; readonly max: number };
}

/** Streams take memory; connections of Figure 8 do not. */
const STREAMS_MAX = 32;

export const FIGURES: ReadonlyMap<string, Figure> = new Map<string, Figure>([
  ['fig3', { what: 'a connection is offloaded', run: figure3, connections: { default: 1, min: 1, max: STREAMS_MAX } }],
  ['fig6', { what: 'cached state is updated', run: figure6, connections: { default: 2, min: 1, max: STREAMS_MAX } }],
  [
    'fig7',
    {
      what: 'a connection is taken back, data outstanding',
      run: figure7,
      connections: { default: 2, min: 2, max: STREAMS_MAX },
    },
  ],
  [
    'fig8',
    {
      what: 'many connections change hands in one call',
      run: figure8,
      connections: { default: 12, min: 1, max: 4096 },
    },
  ],
  [
    'fig9',
    { what: 'failover of a team of two NICs', run: figure9, connections: { default: 2, min: 1, max: STREAMS_MAX } },
  ],
  ['fig10', { what: 'two VLANs over one team', run: figure10, connections: { default: 2, min: 2, max: STREAMS_MAX } }],
]);
