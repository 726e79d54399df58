/** Shell commands of scripts: what they set, what is passed over, and what is unsupported. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NO_METRICS } from '../../src/host/route-metrics.ts';
import { ScriptError, Unsupported } from '../../src/packetdrill/script-error.ts';
import { defaultSettings, type Settings } from '../../src/packetdrill/settings.ts';
import { runShell } from '../../src/packetdrill/shell.ts';
import { pipelinesOf } from '../../src/packetdrill/shell-words.ts';

const folder = mkdtempSync(join(tmpdir(), 'chimney-drill-'));
afterAll(() => rmSync(folder, { recursive: true }));

function after(text: string): Settings {
  const settings = defaultSettings();
  runShell({ text, line: 1, folder }, settings);
  return settings;
}

describe('the shell of scripts', () => {
  test('has words, quotes, comments, continued lines, lists and redirections', () => {
    const text = 'a "b c" \'d\' \\\n e # f\ng; h && i > /dev/null 2>&1\nx="1 $((2*1024)) y"';
    expect(pipelinesOf(text, 1)).toEqual([[['a', 'b c', 'd', 'e']], [['g']], [['h']], [['i']], [['x=1 2048 y']]]);
    expect(pipelinesOf('a "|" | b > /dev/null | c; d', 1)).toEqual([[['a', '|'], ['b'], ['c']], [['d']]]);
  });

  test('sets what sysctl and set_sysctls.py say', () => {
    const settings = after(
      'sysctl -q net.ipv4.tcp_rmem="4096 540000 $((15*1024*1024))" net/ipv4/tcp_sack=0\n' +
        '../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \\\n /proc/sys/net/ipv4/tcp_ecn=1',
    );
    expect(settings.tcp).toMatchObject({ rcvBuffer: 270_000, rcvBufferMax: 15_728_640, sack: false });
    expect(settings.tcp).toMatchObject({ timestamps: false, ecn: 'on' });
  });

  test('sets what is written to /proc', () => {
    expect(after('echo 1 > /proc/sys/net/ipv4/tcp_slow_start_after_idle').tcp.slowStartAfterIdle).toBe(true);
  });

  test('reads scripts of settings that are there, and knows the usual one', () => {
    writeFileSync(join(folder, 'own.sh'), '#!/bin/bash\nsysctl -q net.ipv4.tcp_dsack=0\n');
    expect(after('./own.sh').tcp.dsack).toBe(false);
    expect(after('../common/defaults.sh').tcp).toMatchObject({ rcvBufferMax: 15_728_640, ecn: 'off' });
  });

  test('passes over what does nothing to the stack', () => {
    const text = 'tc qdisc add dev tun0 root pfifo\nethtool -K tun0 tso off\n/tmp/sysctl_restore_${PPID}.sh';
    expect(after(text)).toEqual(defaultSettings());
  });

  test('makes files, of so many bytes', () => {
    const text =
      'dd bs=4k count=2 if=/dev/zero of=/tmp/a; touch /tmp/b; truncate -s 1M /tmp/c; dd if=/dev/zero of=/tmp/d';
    expect([...after(`${text}; rm -f /tmp/d`).files]).toEqual([
      ['/tmp/a', 8192],
      ['/tmp/b', 0],
      ['/tmp/c', 1 << 20],
    ]);
  });

  test('forgets peers', () => {
    expect(after('ip tcp_metrics flush all > /dev/null 2>&1')).toEqual({ ...defaultSettings(), forgetsPeers: true });
  });

  test('notes what is said of routes', () => {
    const text =
      'ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11\n' +
      'ip -6 route replace default dev tun0 && ip route add 10.0.0.0/8 via 192.168.0.9 mtu 1300';
    const [first, second, third] = after(text).routes;
    expect(first).toMatchObject({ verb: 'change', version: 4, prefix: 0xc0000201 | 0, prefixLength: 32 });
    expect(first).toMatchObject({
      gateway: 0xc0a80002 | 0,
      metrics: { mtu: 640, isMtuLocked: true, advertisedMss: 600, initialWindow: 11 },
    });
    expect(second).toMatchObject({ verb: 'replace', version: 6, prefixLength: 0, gateway: null, metrics: NO_METRICS });
    expect(third).toMatchObject({ verb: 'add', prefixLength: 8, metrics: { ...NO_METRICS, mtu: 1300 } });
  });

  test.each(['ip route add 1.2.3', 'ip route add 1.2.3.4 via', 'ip route add 1.2.3.4 dev tun0 mtu many'])(
    'finds fault with %s',
    text => expect(() => after(text)).toThrow(ScriptError),
  );

  test('knows what opens connections', () => {
    const names = [
      'fastopen=0x70403',
      'fastopen_key=1-a1a1a1a1-3-4',
      'syncookies=2',
      'synack_retries=3',
      'orphan_retries=0',
    ];
    const { tcp } = after(`sysctl -q ${names.map(name => `net.ipv4.tcp_${name}`).join(' ')}`);
    expect(tcp).toMatchObject({
      fastOpen: 0x403,
      fastOpenKey: [1, 0xa1a1a1a1 | 0, 3, 4],
      synCookies: 'always',
      synAckRetransmissionsMax: 3,
      orphanRetransmissionsMax: 8,
    });
  });

  test('sleeps in virtual time', () => {
    expect(runShell({ text: 'sleep 0.5', line: 1, folder }, defaultSettings())).toBe(500_000);
  });

  test.each([
    ['iptables -A INPUT', 'iptables'],
    ['sysctl -q net.ipv4.tcp_frobnicate=1', 'tcp_frobnicate'],
    ['sysctl -q net.ipv4.tcp_ecn=3', 'tcp_ecn=3'],
    ['sysctl -q net.ipv4.tcp_congestion_control=bbr', 'bbr'],
    ['tc qdisc replace dev tun0 root fq', 'tc qdisc'],
    ['tc qdisc add dev tun0 root pfifo limit 0', 'tc qdisc'],
    ['nstat | grep Tcp', 'nstat before'],
    ['ss -n | grep 8080', 'ss before'],
    ['cat x | grep y', 'pipes'],
    ['./missing.sh', 'missing.sh'],
    ['ip route del 1.2.3.4 dev tun0', 'ip route'],
    ['ip route add 1.2.3.4 dev tun0 rto_min 5ms', 'rto_min of a route'],
    ['ip neigh add 1.2.3.4', 'ip neigh'],
  ])('does not pass over what could matter: %s', (text, named) => {
    expect(() => after(text)).toThrow(Unsupported);
    expect(() => after(text)).toThrow(named);
  });
});
