/** What the tool says of scripts that do not pass, and that it notices what differs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NO_ADDITIONS, playFile, type ScriptReport } from '../../src/packetdrill/play.ts';

const folder = mkdtempSync(join(tmpdir(), 'chimney-drill-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Line 7 is the first behind the handshake. */
const SERVER = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <...>
+0 < . 1:1(0) ack 1 win 65535
`;
const ACCEPT = '+0 accept(3, ..., ...) = 4\n';

function play(text: string): ScriptReport {
  const file = join(folder, 'script.pkt');
  writeFileSync(file, text);
  return playFile(file, 'host', NO_ADDITIONS);
}

describe('a script that does not pass', () => {
  test.each([
    ['+0 write(4, ..., 100) = 100\n+0 > P. 1:102(101) ack 1', 'the next segment does not go on'],
    ['+0 write(4, ..., 100) = 100\n+0 > . 1:101(100) ack 1', 'flags'],
    ['+0 write(4, ..., 100) = 100\n+1 > P. 1:101(100) ack 1', 'timing error'],
    ['+0 write(4, ..., 100) = 99', 'result'],
    [
      '+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 read(4, ..., 100) = -1 EPIPE (Broken pipe)',
      'seen:     -1 EAGAIN',
    ],
    ['+0 > . 1:1(0) ack 1', 'no packet came'],
    ['+0 read(4, ..., 100) = 1', 'the call blocks'],
    ['+0...0.1 read(4, ..., 100) = 1', 'has not returned'],
    ['+0 < . 1:2(1) ack 1 win 9\n+0...+.3 read(4, ..., 100) = 1', 'a time'],
    ['+0 %{ assert tcpi_state == TCP_CLOSE, "s=%d" % tcpi_state }%', 's=1'],
    ['+0 %{ assert undefined == 1 }%', "name 'undefined' is not defined"],
    ['+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 0', 'revents'],
    ['+0 close(9) = 0', 'EBADF'],
    ['+0 open("/tmp/none", O_RDONLY) = 5', 'ENOENT'],
    ['+0 `nstat -n; nstat | grep TcpActiveOpens`', 'command failed: nstat | grep TcpActiveOpens'],
    ['+0 `ss -n state listening | grep :8081`', 'LISTEN'],
  ])('%s', (text, reason) => {
    const report = play(SERVER + ACCEPT + text);
    expect(report.reason).toContain(reason);
    expect(report.verdict).toBe('failed');
  });

  test('shows the line that was expected and what was seen, in the same notation, with file and line', () => {
    const { reason } = play(`${SERVER}${ACCEPT}+0 write(4, ..., 2920) = 2920\n+.0 > P. 1:2921(2920) ack 2`);
    expect(reason.split('\n')).toEqual([
      `${join(folder, 'script.pkt')}:9: ack`,
      '  expected: +.0 > P. 1:2921(2920) ack 2',
      '  seen:     0.000000 > . 1:1461(1460) ack 1 win 65535',
      '            0.000000 > P. 1461:2921(1460) ack 1 win 65535',
    ]);
  });

  test.each([
    ['+0 setsockopt(4, SOL_TCP, TCP_MD5SIG, [1], 4) = 0', 'TCP MD5 signatures'],
    ['+0 getsockopt(4, SOL_TCP, TCP_ZEROCOPY_RECEIVE, [1], [4]) = 0', 'receiving without a copy'],
    ['+0 open("/etc/passwd", O_RDONLY) = 5', 'the file /etc/passwd'],
    ['+0 open("/tmp/x", O_RDWR) = 5', 'files to write to'],
    ['+0 pipe([5, 6]) = 0\n+0 close(5) = 0\n+0 fcntl(6, F_GETFL) = 1', 'no socket'],
    ['+0 `iptables -F`', 'iptables'],
    ['+0 `nstat | grep TcpExtTCPFoo`', 'counter TcpExtTCPFoo'],
    ['+0 `ss -n sport lt :80`', 'ss sport lt'],
    ['+0 `ss -K`', 'ss -K'],
    ['+0 %{ import os }%', 'Python'],
    ['+0 > sctp: INIT[flgs=0]', 'SCTP'],
    ['+0 `ip route change 10.9.9.9 via 192.168.0.2 dev tun0`', 'there is no such route'],
    ['+0 `ip -6 route add ::/0 dev tun0`', 'another family'],
    ['+0 socket(..., SOCK_STREAM, IPPROTO_MPTCP) = 5', 'MPTCP'],
    ['+0 > S.5 0:0(0)', 'AccECN'],
  ])('is unsupported, with the reason, when it wants what is not there: %s', (text, reason) => {
    const report = play(SERVER + ACCEPT + text);
    expect(report.reason).toContain(reason);
    expect(report.verdict).toBe('unsupported');
  });

  test('is unsupported also where it would fail before it comes to that', () => {
    const { verdict } = play(`${SERVER}+0 > R 9:9(0)\n+0 setsockopt(4, SOL_TCP, TCP_MD5SIG, [1], 4) = 0`);
    expect(verdict).toBe('unsupported');
  });

  test('says that the first event is not at time 0', () => {
    expect(play('1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3').reason).toContain('at time 0');
  });
});

describe('a script that passes', () => {
  test('may leave packets behind, and may not look at others than those of the last socket', () => {
    expect(play(`${SERVER}${ACCEPT}+0 write(4, ..., 100) = 100`).verdict).toBe('passed');
  });

  test('prints what its code prints', () => {
    expect(play(`${SERVER}${ACCEPT}+0 %{ print(tcpi_state == TCP_ESTABLISHED) }%`).output).toEqual(['True']);
  });
});
