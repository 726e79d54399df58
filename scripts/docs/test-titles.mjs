/**
 * Titles of tests and what they carry: case ids (A01), requirement ids (R18), also as ranges (B01–B04).
 *
 * A test belongs to a case by its title, or by the title of a `describe` around it, which is listed as a title of its own.
 * Cases explored in several interleavings are made by the helpers in EXPLORERS.
 */
const EXPLORERS = new Set(['explore', 'race']);

/** A call whose first argument is text: `test('…'`, `describe.each(all)("…"`, `machineLadder(\n  '…'`. */
const TITLED =
  /\b([A-Za-z]\w*)(?:\.\w+)*(?:<[^>()]*>)?(?:\((?:[^()'"`]|\([^()]*\))*\)|\(\[[^\]]*\]\))?\(\s*(?:'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`)/g;

/** What takes titles; other calls with text may name a case too (an error message, a trace), but show nothing. */
const TITLE_CALLS = /^(?:test|it|describe|\w*[lL]adder|explore|race|\w*Case|\w*Cases|\w*Test)$/;

const ID = /\b([A-FR])(\d{1,2})(?:–\1?(\d{1,2}))?\b/g;

/** Ids of a title, or of a whole file. R1 and R2 of the RFCs are other things: `at R2`, `R2 of RFC 9293`, `R2: …`. */
export function idsIn(title) {
  const ids = new Set();
  for (const match of title.matchAll(ID)) {
    const [text, letter, first, last = first] = match;
    if (letter !== 'R' && first.length !== 2) continue;
    const before = title.slice(0, match.index);
    const after = title.slice(match.index + text.length);
    if (/^R[12]$/.test(text) && (/(?:\bat|[\d.]) $/.test(before) || /^(?:: | of )/.test(after))) continue;
    for (let number = Number(first); number <= Number(last); number++) {
      ids.add(letter + (letter === 'R' ? String(number) : String(number).padStart(2, '0')));
    }
  }
  return ids;
}

/** Every title of a file. */
export function titlesIn(text) {
  const titles = [];
  for (const [, call, single, double, template] of text.matchAll(TITLED)) {
    if (TITLE_CALLS.test(call)) titles.push(single ?? double ?? template);
  }
  return titles;
}

/** By id: `{ path, title, explored }` of each test that carries it. */
export function testsByCase(files) {
  const found = new Map();
  for (const { path, text } of files) {
    for (const [, call, single, double, template] of text.matchAll(TITLED)) {
      if (!TITLE_CALLS.test(call)) continue;
      const title = (single ?? double ?? template).replaceAll(/\\(['"`])/g, '$1');
      for (const id of idsIn(title)) {
        const tests = found.get(id) ?? [];
        found.set(id, tests);
        tests.push({ path, title, explored: EXPLORERS.has(call) });
      }
    }
  }
  return found;
}
