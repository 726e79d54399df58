/**
 * `record()`: a layout in shared memory, declared once (style §4).
 *
 * From one declaration come byte offsets, word indices, a typed cursor, the documentation table and a fingerprint that
 * threads compare before they attach. Misaligned fields, a wrong total and unnamed padding fail when the module loads.
 *
 *   const Path = record('PATH', 16, { source: word('source address'), mtu: word('bytes'), reserved: bytes(8) });
 *   const path = Path.view(memory); path.at(base).mtu = 1500;
 *
 * Thirty-two-bit fields are int32 words: sequence numbers and addresses use all bits and are compared modulo 2^32.
 */
import { assert } from '../base/assert.ts';

/** Who owns a variable while its object is offloaded (¶50–54, R1–R4); `private` never leaves its owner. */
export type FieldClass = 'const' | 'cached' | 'delegated' | 'private' | 'control';
/** The one thread that writes a field. `owner`: whoever owns the record at that moment. */
export type FieldWriter = 'host' | 'device' | 'owner';

export interface Field {
  readonly width: number;
  readonly kind: 'u8' | 'u16' | 'word' | 'bytes';
  readonly meaning: string;
  readonly fieldClass: FieldClass;
  readonly writer: FieldWriter;
  /** Of a state variable: its name in the interface that shipped, or in the seed where only that has it. */
  readonly ddi?: string;
  readonly unit?: string;
  /** ¶ of the seed, `shipped`, an RFC, or `emulator` for what only we need. */
  readonly from?: string;
}

export function u8(meaning: string, fieldClass: FieldClass = 'control', writer: FieldWriter = 'owner'): Field {
  return { width: 1, kind: 'u8', meaning, fieldClass, writer };
}

export function u16(meaning: string, fieldClass: FieldClass = 'control', writer: FieldWriter = 'owner'): Field {
  return { width: 2, kind: 'u16', meaning, fieldClass, writer };
}

export function word(meaning: string, fieldClass: FieldClass = 'control', writer: FieldWriter = 'owner'): Field {
  return { width: 4, kind: 'word', meaning, fieldClass, writer };
}

export function bytes(width: number, meaning = 'reserved, zero', fieldClass: FieldClass = 'control'): Field {
  return { width, kind: 'bytes', meaning, fieldClass, writer: 'owner' };
}

/**
 * Makes the wrapper that declares state variables of one class (¶50): `h(word('receive buffer'), 'InitialRcvWnd', 'bytes',
 * '¶81, shipped')`. Name, unit and origin are documentation: neither layout nor fingerprint depends on them.
 */
export function stateVariables(fieldClass: FieldClass, writer: FieldWriter) {
  return (field: Field, ddi = '', unit = '', from = ''): Field => ({ ...field, fieldClass, writer, ddi, unit, from });
}

/** The views a cursor needs; src/memory/memory.ts has them. */
export interface Views {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
}

type Fields = Record<string, Field>;
export type Cursor<F extends Fields> = {
  /** Byte offset the cursor stands on. Move it only at an entry point (style §5). */
  readonly base: number;
  at(base: number): Cursor<F>;
} & { -readonly [K in keyof F]: number };

export interface Layout<F extends Fields> {
  readonly name: string;
  readonly byteLength: number;
  readonly fields: F;
  /** Byte offset of each field. */
  readonly offset: { readonly [K in keyof F]: number };
  /** Array index of each field from the record's start, in units of its own width. */
  readonly index: { readonly [K in keyof F]: number };
  /** Bytes [start, end) that fields of a class span; they are contiguous by construction. */
  range(fieldClass: FieldClass): { start: number; end: number };
  readonly fingerprint: number;
  view(memory: Views): Cursor<F>;
}

class CursorBase {
  // Declared, so that no field is first defined as undefined: a machine has hundreds of cursors.
  declare readonly u8: Uint8Array;
  declare readonly u16: Uint16Array;
  declare readonly i32: Int32Array;
  declare base: number;
  declare w: number;

  constructor(memory: Views) {
    this.base = 0;
    this.w = 0;
    this.u8 = memory.u8;
    this.u16 = memory.u16;
    this.i32 = memory.i32;
  }

  at(base: number): this {
    this.base = base;
    this.w = base >> 2;
    return this;
  }
}

function defineField(prototype: object, name: string, kind: Field['kind'], offset: number): void {
  if (kind === 'word') {
    const index = offset >> 2;
    Object.defineProperty(prototype, name, {
      get(this: CursorBase) {
        return this.i32[this.w + index];
      },
      set(this: CursorBase, value: number) {
        this.i32[this.w + index] = value;
      },
    });
  } else if (kind === 'u8') {
    Object.defineProperty(prototype, name, {
      get(this: CursorBase) {
        return this.u8[this.base + offset];
      },
      set(this: CursorBase, value: number) {
        this.u8[this.base + offset] = value;
      },
    });
  } else if (kind === 'u16') {
    Object.defineProperty(prototype, name, {
      get(this: CursorBase) {
        return this.u16[(this.base + offset) >> 1];
      },
      set(this: CursorBase, value: number) {
        this.u16[(this.base + offset) >> 1] = value;
      },
    });
  } else {
    // A byte range reads as its address.
    Object.defineProperty(prototype, name, {
      get(this: CursorBase) {
        return this.base + offset;
      },
    });
  }
}

function checkClasses(name: string, fields: Fields): void {
  const seen = new Set<FieldClass>();
  let current: FieldClass | null = null;
  for (const [field, { fieldClass }] of Object.entries(fields)) {
    if (fieldClass === current) continue;
    assert(!seen.has(fieldClass), `${name}.${field}: fields of class ${fieldClass} are not contiguous`);
    seen.add(fieldClass);
    current = fieldClass;
  }
}

export function record<const F extends Fields>(name: string, byteLength: number, fields: F): Layout<F> {
  const offset: Record<string, number> = {};
  const index: Record<string, number> = {};
  class RecordCursor extends CursorBase {}
  let at = 0;
  let hash = 0x811c9dc5 | 0;
  checkClasses(name, fields);
  for (const [field, { width, kind }] of Object.entries(fields)) {
    const unit = kind === 'bytes' ? 4 : width;
    assert(at % unit === 0, `${name}.${field} is misaligned at ${at}: name the padding`);
    assert(!['base', 'at', 'w', 'u8', 'u16', 'i32'].includes(field), `${name}.${field}: the name is the cursor's own`);
    offset[field] = at;
    index[field] = at / unit;
    defineField(RecordCursor.prototype, field, kind, at);
    for (const char of `${name}.${field}:${at}:${width}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    at += width;
  }
  assert(at === byteLength, `${name} is ${at} bytes long, declared ${byteLength}`);
  return {
    name,
    byteLength,
    fields,
    offset: offset as Layout<F>['offset'],
    index: index as Layout<F>['index'],
    fingerprint: hash,
    range(fieldClass) {
      let start = -1;
      let end = 0;
      for (const [field, declared] of Object.entries(fields)) {
        if (declared.fieldClass !== fieldClass) continue;
        if (start < 0) start = offset[field]!;
        end = offset[field]! + declared.width;
      }
      assert(start >= 0, `${name} has no ${fieldClass} fields`);
      return { start, end };
    },
    view: memory => new RecordCursor(memory) as unknown as Cursor<F>,
  };
}
