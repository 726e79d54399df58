/** Is a text well-formed XML, as far as drawings need it: tags that close, quoted attributes, escaped characters. */
const ATTRIBUTE = String.raw`\s+[\w:-]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*"`;
const TAG = new RegExp(String.raw`<(/?)([\w:-]+)((?:${ATTRIBUTE})*)\s*(/?)>`, 'y');
const TEXT = /(?:[^<&]|&(?:amp|lt|gt|quot);)+/y;

/** The names of all elements; throws at what is not well-formed. */
export function parseXml(text: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  let at = 0;
  while (at < text.length) {
    TEXT.lastIndex = at;
    if (TEXT.test(text)) {
      at = TEXT.lastIndex;
      continue;
    }
    TAG.lastIndex = at;
    const match = TAG.exec(text);
    if (match === null) throw new Error(`not well-formed at ${at}: ${text.slice(at, at + 80)}`);
    at = TAG.lastIndex;
    const [, closes, name, , empty] = match;
    if (closes === '/') {
      const last = open.pop();
      if (last !== name) throw new Error(`</${name}> closes <${last}>`);
    } else {
      if (open.length === 0 && names.length > 0) throw new Error(`<${name}> is a second root`);
      names.push(name!);
      if (empty !== '/') open.push(name!);
    }
  }
  if (open.length > 0) throw new Error(`open at the end: ${open.join(', ')}`);
  return names;
}
