/** Bad input: one clear line on stderr that names it and the remedy, exit 2, nothing on stdout. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { captureOutput } from '../support/captured-output.ts';

const empty = mkdtempSync(join(tmpdir(), 'chimney-empty-'));
afterAll(() => rmSync(empty, { recursive: true }));

const printed = captureOutput();

describe('a usage error', () => {
  test.each([
    ['an unknown command', ['strom'], ["unknown command 'strom'", 'Did you mean storm?', '--help']],
    ['an unknown option', ['storm', '--conections', '5'], ["'--conections'", 'Did you mean --connections?']],
    ['an argument too many', ['storm', 'now'], ["too many arguments for 'storm'"]],
    ['a value that is missing', ['storm', '--pcap'], ["'--pcap <file>'", 'missing']],
    ['an option where a value should be', ['storm', '--pcap', '--json'], ["'--pcap <file>'", 'missing']],
    ['no number', ['storm', '--connections', 'many'], ["'--connections <n>'", "'many'", 'from 1 to 10,000,000']],
    ['a number out of range', ['storm', '--mtu', '99999'], ["'--mtu <bytes>'", "'99999'", 'from 576 to 9,216']],
    ['a number below the range', ['storm', '--loss', '-1'], ["'--loss <percent>'", "'-1'", 'from 0 to 50']],
    ['no such path', ['storm', '--path', 'moon'], ["'--path <path>'", "'moon'", 'auto, host, chimney']],
    ['more NICs than there can be', ['storm', '--nics', '4000'], ["'--nics <n>'", "'4000'", 'from 1 to 16']],
    ['a VID out of range', ['storm', '--vlan', '10,5000'], ["'--vlan <vids>'", "'10,5000'"]],
    ['a VID twice', ['storm', '--vlan', '10,10'], ['--vlan', 'each VID once']],
    ['a NIC that is not there', ['storm', '--fail', 'nic9@50%'], ['--fail', "'nic9'", 'there are nic0, nic1']],
    ['a percentage that is none', ['storm', '--fail', 'nic0@half'], ['--fail', "'nic0@half'", 'nic0@50%']],
    ['a percentage above all', ['storm', '--fail', 'nic0@150%'], ['--fail', "'nic0@150%'"]],
    ['a failure that nobody can take over', ['storm', '--nics', '1', '--fail', 'nic0@50%'], ['--fail', '--nics 2']],
    ['an unknown rival', ['storm', '--rivals', 'deno'], ['--rivals', "'deno'", 'node:net, none']],
    ['a folder that is missing', ['storm', '--www', '/no/such/folder'], ['--www', '/no/such/folder']],
    ['a folder without files', ['storm', '--www', empty], ['--www', 'no files', empty]],
    ['a capture that cannot be written', ['storm', '--pcap', '/no/such/x.pcapng'], ['--pcap', '/no/such/x.pcapng']],
    ['a capture that is a folder', ['storm', '--pcap', empty], ['--pcap', empty]],
    ['a seed that is none', ['simulate', '--seed', 'x'], ["'--seed <n>'", "'x'"]],
    ['a seed for a campaign', ['simulate', '--seed', '1', '--seeds', '5'], ['--seed', '--first']],
    ['shrinking without a property', ['simulate', '--shrink'], ['--shrink', '--transparency']],
    ['threads without a campaign', ['simulate', '--threads', '2'], ['--threads', '--seeds']],
    ['no frames to fuzz with', ['fuzz', '--frames', '0'], ["'--frames <n>'", "'0'"]],
    ['no script', ['packetdrill'], ["missing required argument 'file'"]],
    ['a script that is not there', ['packetdrill', '/no/such.pkt'], ['<file...>', '/no/such.pkt']],
    [
      'no such path for scripts',
      ['packetdrill', '--path', 'moon', 'x.pkt'],
      ["'--path <path>'", 'host, chimney, every'],
    ],
    [
      'a definition without a value',
      ['packetdrill', '--define', 'X', 'x.pkt'],
      ["'--define <name=value>'", 'NAME=VALUE'],
    ],
    ['an unknown bench', ['bench', '--only', 'nothing'], ['--only', "'nothing'", 'ring']],
  ])('names %s', async (_what, words, named) => {
    expect(await runCommandLine(words)).toBe(2);
    expect(printed.stdout).toBe('');
    expect(printed.stderr.split('\n')).toEqual([expect.stringMatching(/^chimney: /), '']);
    for (const part of named) expect(printed.stderr).toContain(part);
  });

  test('names a machine that does not fit in memory, before anything runs', async () => {
    expect(await runCommandLine(['storm', '--nics', '16', '--concurrency', '200000'])).toBe(2);
    expect(printed.stderr).toMatch(/^chimney: the machine needs \d+ MiB of memory.*fewer NICs.*--concurrency\n$/);
  });
});

describe('help', () => {
  test.each([
    [['--help']],
    [['storm', '--help']],
    [['simulate', '--help']],
    [['fuzz', '--help']],
    [['bench', '--help']],
    [['help', 'storm']],
  ])('of %j says what it does and shows examples', async words => {
    expect(await runCommandLine(words)).toBe(0);
    expect(printed.stdout).toMatch(/^Usage: chimney/);
    expect(printed.stdout).toContain('Examples:\n  chimney ');
    expect(printed.stderr).toBe('');
  });

  test('names every option of the storm', async () => {
    await runCommandLine(['storm', '--help']);
    const options =
      'connections concurrency block-list batch-ms path www nics fail vlan loss reorder duplicate corrupt delay-ms ' +
      'stations mtu seed pcap rivals no-compare json quiet';
    for (const option of options.split(' ')) expect(printed.stdout).toContain(`  --${option}`);
  });

  test('is what a command line without a command gets', async () => {
    expect(await runCommandLine([])).toBe(2);
    expect(printed.stderr).toMatch(/^Usage: chimney/);
  });

  test('--version is the version', async () => {
    expect(await runCommandLine(['--version'])).toBe(0);
    expect(printed.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('simulate', () => {
  test('prints one document, the same for the same seed, and the last of a repeated option wins', async () => {
    expect(await runCommandLine(['simulate', '--seed', '9', '--seed', '2', '--json'])).toBe(0);
    const first = JSON.parse(printed.stdout) as Record<string, unknown>;
    expect(first).toMatchObject({ seed: 2, ok: true });
    expect(first['traceHash']).toMatch(/^[0-9a-f]+$/);
    expect(first['invariantsChecked']).toBeGreaterThan(0);
    printed.stdout = '';
    await runCommandLine(['simulate', '--seed', '2']);
    expect(printed.stdout).toContain(`trace hash ${String(first['traceHash'])}`);
  });

  test('--transparency says what was handed over, and that nobody saw it (R1)', async () => {
    expect(await runCommandLine(['simulate', '--transparency', '--seed', '3', '--json'])).toBe(0);
    const result = JSON.parse(printed.stdout) as Record<string, unknown>;
    expect(result).toMatchObject({ seed: 3, ok: true });
    expect(result['handOvers']).toBeGreaterThan(0);
    printed.stdout = '';
    await runCommandLine(['simulate', '--transparency', '--seed', '3']);
    expect(printed.stdout).toContain('no difference');
  });
});
