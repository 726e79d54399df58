/** The administrator's event log (R24): kept bounded, heard as it happens. */
import { expect, test } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { EventLog, type LogEvent } from '../../src/base/event-log.ts';

test('events carry the time and reach every subscriber until it leaves', () => {
  const clock = new VirtualClock();
  const log = new EventLog(clock);
  const heard: LogEvent[] = [];
  const leave = log.subscribe(event => heard.push(event));
  log.emit('link-down', 'nic0', '');
  clock.advanceTo(1500);
  log.emit('failover', 'nic0', 'to nic1');
  leave();
  leave();
  log.emit('link-up', 'nic0', '');
  expect(heard).toEqual([
    { us: 0, kind: 'link-down', subject: 'nic0', text: '' },
    { us: 1500, kind: 'failover', subject: 'nic0', text: 'to nic1' },
  ]);
  expect(log.events).toHaveLength(3);
});

test('keeps the first 4,096 and counts the rest; subscribers hear all', () => {
  const log = new EventLog(new VirtualClock());
  let heard = 0;
  log.subscribe(() => heard++);
  for (let i = 0; i < 5000; i++) log.emit('retrieve', 'nic0', String(i));
  expect([log.events.length, log.dropped, heard]).toEqual([4096, 904, 5000]);
});
