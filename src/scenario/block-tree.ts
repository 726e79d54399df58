/**
 * Block lists as text: `N+{P+{T T} P={T}}` in one word, or a line a block with handles, statuses and what is behind it.
 *
 * A tree is read at one moment and copied: the blocks themselves go on and are used again.
 */
import { statusName } from '../base/status.ts';
import type { Memory } from '../memory/memory.ts';
import { Block, BLOCK_HEADER_BYTES, BlockRole, layerOf, OffloadStateType } from '../offload/block-list.ts';

export interface BlockNode {
  /** N neighbor, P path, T connection, I a block that an intermediate driver inserted (R12). */
  readonly layer: 'N' | 'P' | 'T' | 'I';
  /** New to the device, an object it has, or only there to hold the tree together. */
  readonly role: 'new' | 'linker' | 'placeholder' | 'reserve';
  /** The device's handle, 0 for none yet. */
  readonly handle: number;
  /** `Success`, or why not. */
  readonly status: string;
  /** What it is, in words. */
  readonly label: string;
  readonly dependents: readonly BlockNode[];
}

/** What is behind a block, in words: its layer, its handle, and where its state lies. */
export type BlockLabel = (layer: BlockNode['layer'], handle: number, stateAt: number) => string;

export function readBlockTree(memory: Memory, root: number, label: BlockLabel = () => ''): BlockNode[] {
  const nodes: BlockNode[] = [];
  for (let at = root; at !== 0;) {
    const { type, role, status, nextBlock, dependentBlockList, offloadHandle } = Block.view(memory).at(at);
    const layer = type === OffloadStateType.FilterReserved ? 'I' : (['N', 'P', 'T'] as const)[layerOf(type)]!;
    nodes.push({
      layer,
      role: ROLES[role] ?? 'new',
      handle: offloadHandle,
      status: statusName(status),
      // Where only room is made there is no state to tell of yet.
      label: role === BlockRole.Reserve ? '' : label(layer, offloadHandle, at + BLOCK_HEADER_BYTES),
      dependents: readBlockTree(memory, dependentBlockList, label),
    });
    at = nextBlock;
  }
  return nodes;
}

const MARKS = { new: '+', linker: '=', placeholder: '.', reserve: '?' } as const;
/** By BlockRole. */
const ROLES: readonly BlockNode['role'][] = ['new', 'linker', 'placeholder', 'reserve'];

/** N neighbor, P path, T connection; + new, ? room only, = object of the device, . placeholder; the status where it is not Success. */
export function compactTree(nodes: readonly BlockNode[], marksNew: boolean): string {
  return nodes
    .map(({ layer, role, status, dependents }) => {
      const mark = role === 'new' && (!marksNew || layer === 'T') ? '' : MARKS[role];
      // Pending: a checker marks what the device has not answered yet.
      const failed = status === 'Success' || status === 'Pending' ? '' : `:${status}`;
      const below = dependents.length === 0 ? '' : `{${compactTree(dependents, marksNew)}}`;
      return `${layer}${mark}${failed}${below}`;
    })
    .join(' ');
}

export interface TreeForm {
  /** Blocks of a row that are written out. */
  readonly rowMax: number;
  /** A list that makes objects: what is new to the device is marked. */
  readonly marksNew: boolean;
  /** The device has written statuses. */
  readonly answered: boolean;
}

/** One line a block, indented by layer; of a long row the first few, and how many more there are. */
export function treeLines(nodes: readonly BlockNode[], form: TreeForm, indent = ''): string[] {
  const lines: string[] = [];
  for (const node of nodes.slice(0, form.rowMax)) {
    const { layer, role, handle, status, label, dependents } = node;
    const isMarked = layer === 'T' ? role === 'reserve' : role !== 'new' || form.marksNew;
    const parts = [
      `${layer}${isMarked ? MARKS[role] : ' '}`,
      handle === 0 ? '' : `0x${(handle >>> 0).toString(16)}`,
      form.answered ? status : '',
      label,
    ];
    lines.push(indent + parts.filter(part => part !== '').join(' '));
    lines.push(...treeLines(dependents, form, `${indent}  `));
  }
  const rest = nodes.length - form.rowMax;
  if (rest > 0) lines.push(`${indent}… and ${rest} more`);
  return lines;
}
