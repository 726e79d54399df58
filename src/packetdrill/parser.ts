/**
 * The parser of packetdrill scripts, by recursive descent over the grammar of packetdrill's own documentation: options,
 * an init command, events with their times, a clean-up command at the end.
 */
import type { Action, CommandAction, EventTime, Script, ScriptEvent, ScriptOption } from './ast.ts';
import { parseCall } from './parse-call.ts';
import { parsePacket } from './parse-packet.ts';
import { ScriptError, Unsupported } from './script-error.ts';
import { TokenStream } from './token-stream.ts';

/** `definitions`: words to replace, besides those that the script defines itself. */
export function parseScript(file: string, source: string, definitions: ReadonlyMap<string, string>): Script {
  const tokens = new TokenStream(source);
  for (const [name, value] of definitions) tokens.define(name, value);
  const options: ScriptOption[] = [];
  while (tokens.isKind('option')) options.push(parseOption(tokens));
  const init = tokens.isKind('command') ? parseCommand(tokens) : null;
  const events: ScriptEvent[] = [];
  while (!tokens.isKind('end')) {
    // Commands without a time behind the first are at the end, and clean up what is not changed here.
    if (tokens.isKind('command')) parseCommand(tokens);
    else events.push(parseEvent(tokens));
  }
  if (events.length === 0) throw new ScriptError(tokens.line, 'syntax error: a script without events');
  return { file, options, init, events };
}

function parseOption(tokens: TokenStream): ScriptOption {
  const { text, line } = tokens.take();
  const match = /^--(\w+)(?:\s*=\s*([\s\S]*))?$/.exec(text)!;
  const option = { name: match[1]!, value: unquoted(match[2] ?? ''), line };
  if (option.name.startsWith('psp')) throw new Unsupported(line, 'PSP');
  const definition = /^(\w+)=([\s\S]*)$/.exec(option.value);
  if (option.name === 'define' && definition !== null) tokens.define(definition[1]!, definition[2]!);
  return option;
}

function unquoted(value: string): string {
  return /^(?:"[^"]*"|`[^`]*`)$/.test(value) ? value.slice(1, -1) : value;
}

function parseCommand(tokens: TokenStream): CommandAction {
  const { text, line } = tokens.take();
  return { kind: 'command', text, line };
}

function parseEvent(tokens: TokenStream): ScriptEvent {
  const { line, at } = tokens.peek();
  const time = parseTime(tokens);
  const action = parseAction(tokens, time);
  const isOutbound = action.kind === 'packet' && !action.inbound;
  if (!isOutbound && time.kind !== 'absolute' && time.kind !== 'relative') {
    throw new ScriptError(line, 'time ranges and * go with outbound packets only');
  }
  const text = tokens.source
    .slice(at, tokens.takenEnd)
    .replace(/\/\/[^\n]*/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return { line, time, action, text };
}

function parseTime(tokens: TokenStream): EventTime {
  if (tokens.accept('*')) return { kind: 'any', us: 0, endUs: 0 };
  const relative = tokens.accept('+');
  const us = parseSeconds(tokens);
  if (!tokens.accept('~')) return { kind: relative ? 'relative' : 'absolute', us, endUs: us };
  if (relative) tokens.expect('+');
  const { line } = tokens;
  const endUs = parseSeconds(tokens);
  if (endUs < us) throw new ScriptError(line, 'time range is backwards');
  return { kind: relative ? 'relative-range' : 'absolute-range', us, endUs };
}

function parseSeconds(tokens: TokenStream): number {
  if (!tokens.isKind('integer') && !tokens.isKind('float')) throw tokens.wrong('a time');
  const { text, line } = tokens.take();
  const seconds = Number(text);
  if (seconds < 0) throw new ScriptError(line, 'negative time');
  return Math.round(seconds * 1e6);
}

function parseAction(tokens: TokenStream, time: EventTime): Action {
  if (tokens.isKind('command')) return parseCommand(tokens);
  if (tokens.isKind('code')) return { kind: 'code', text: tokens.take().text };
  if (tokens.is('<') || tokens.is('>')) return parsePacket(tokens);
  let endUs = -1;
  if (tokens.isKind('ellipsis')) {
    tokens.take();
    endUs = parseSeconds(tokens);
    if (time.kind === 'absolute' && endUs < time.us) throw new ScriptError(tokens.line, 'time range is backwards');
  }
  return parseCall(tokens, endUs);
}
