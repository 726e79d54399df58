/**
 * `chimney storm`: options, progress line, the job, its table or document.
 *
 * Whatever can be known to be wrong is looked for before anything starts: values, folder, capture file, memory.
 */
import { Command } from 'commander';
import { BLOCK_LIST_MAX } from '../offload/block-list.ts';
import { FAMILIES } from '../scenario/network.ts';
import { stormDocuments } from '../scenario/storm-documents.ts';
import { RIVALS, StormJob } from '../scenario/storm-job.ts';
import type { StormProgress } from '../scenario/storm.ts';
import { parseFailures, PATHS, STORM_DEFAULTS, stormOptions, type StormOptions } from '../scenario/storm-options.ts';
import { onInterrupt } from './interrupt.ts';
import { checkWritable, count, printJson, ProgressLine } from './output.ts';
import { packageRoot } from './package-root.ts';
import { stormTable } from './storm-table.ts';
import { decimalNumber, listOf, name, oneOf, wholeNumber } from './values.ts';

const EXAMPLES = `
Examples:
  chimney storm                                  20,000 connections; nic0 loses its link half-way
  chimney storm --connections 100000 --json      the report as one JSON document
  chimney storm --www ./public --fail none       serve another folder, let nothing fail
  chimney storm --loss 1 --reorder 1             a bad cable
  chimney storm --vlan 10,20 --pcap storm.pcapng two VLANs, and what was on the wire
`;

/** Options as commander hands them over. */
interface StormFlags extends Partial<Omit<StormOptions, 'failures' | 'vlans'>> {
  fail?: string;
  vlan?: number[];
  rivals: string[];
  compare: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function stormCommand(setExitCode: (code: number) => void): Command {
  const defaults = STORM_DEFAULTS;
  const percent = decimalNumber(0, 50, 'percent');
  return new Command('storm')
    .summary('the main job: thousands of short connections, offloaded, through the failure of a NIC')
    .description(
      'Remote clients fetch files over thousands of short connections, which are offloaded in block lists while a NIC ' +
        'fails; every byte is checked. Compares the host path, the chimney and node:net.',
    )
    .option('--connections <n>', `connections to make (${defaults.connections})`, wholeNumber(1, 10_000_000))
    .option('--concurrency <n>', `connections open at a time (${defaults.concurrency})`, wholeNumber(1, 200_000))
    .option(
      '--block-list <n>',
      `connections in a block list at most (${defaults.blockList})`,
      wholeNumber(1, BLOCK_LIST_MAX),
    )
    .option('--batch-ms <ms>', `longest wait for a list to fill (${defaults.batchMs})`, decimalNumber(0, 1000, 'ms'))
    .option('--path <path>', `${PATHS.join(', ')} (${defaults.path})`, oneOf(PATHS))
    .option('--policy <policy>', `what path auto offloads (${defaults.policy})`, name)
    .option('--www <folder>', "folder to serve (the project's own documents)", name)
    .option('--nics <n>', `NICs in the team (${defaults.nics})`, wholeNumber(1, 16))
    .option('--fail <nic@percent%>', 'link to lose, and when; several with commas, or none (nic0@50%)', name)
    .option('--vlan <vids>', 'VLANs to serve, with commas', listOf(wholeNumber(1, 4094)))
    .option(
      '--family <family>',
      `IP version of the clients: ${FAMILIES.join(', ')} (${defaults.family})`,
      oneOf(FAMILIES),
    )
    .option('--loss <percent>', 'frames that cables lose (0)', percent)
    .option('--reorder <percent>', 'frames that cables put out of order (0)', percent)
    .option('--duplicate <percent>', 'frames that cables duplicate (0)', percent)
    .option('--corrupt <percent>', 'frames in which cables change a bit (0)', percent)
    .option('--delay-ms <ms>', 'delay of a cable, each way (0)', decimalNumber(0, 1000, 'ms'))
    .option('--stations <n>', `remote addresses (${defaults.stations})`, wholeNumber(8, 60_000))
    .option('--mtu <bytes>', `MTU of every link (${defaults.mtu})`, wholeNumber(576, 9216))
    .option('--seed <n>', `seed of load and faults (${defaults.seed})`, wholeNumber(0, 0x7fffffff))
    .option('--pcap <file>', 'write a pcapng capture, one interface a cable', name)
    .option('--rivals <names>', `what to compare with: ${RIVALS.join(', ')}, or none`, listOf(name), [...RIVALS])
    .option('--no-compare', 'leave out the short runs that compare host path and chimney')
    .option('--json', 'print one JSON document on stdout')
    .option('--quiet', 'no progress line')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: StormFlags) => setExitCode(await storm(flags)));
}

async function storm(flags: StormFlags): Promise<number> {
  const options = optionsOf(flags);
  const documents = stormDocuments(options.www, packageRoot);
  // The fabric's thread writes the capture; whether it can is better known before anything starts.
  if (options.pcap !== null) checkWritable('pcap', options.pcap);
  const line = new ProgressLine(flags.quiet ?? false);
  const rivals = flags.rivals.filter(rival => rival !== 'none');
  const job = new StormJob({ storm: options, compare: flags.compare, rivals }, documents, {
    phase: text => line.say(text),
    progress: progress => line.show(progressText(progress)),
  });
  const done = onInterrupt(() => job.interrupt());
  try {
    const report = await job.run();
    line.clear();
    if (flags.json === true) printJson(report);
    else process.stdout.write(stormTable(report));
    return report.ok ? 0 : 1;
  } finally {
    line.clear();
    done();
  }
}

function optionsOf(flags: StormFlags): StormOptions {
  const { fail, vlan, rivals: _rivals, compare: _compare, json: _json, quiet: _quiet, ...rest } = flags;
  return stormOptions({
    ...rest,
    ...(fail === undefined ? {} : { failures: parseFailures(fail) }),
    ...(vlan === undefined ? {} : { vlans: vlan }),
  });
}

function progressText(progress: StormProgress): string {
  const { completed, requested, failed, perSecond, offloaded, activeNic, seconds } = progress;
  const percent = Math.floor((completed / requested) * 100);
  const failures = failed > 0 ? `, ${count(failed)} failed` : '';
  return (
    `${seconds.toFixed(1).padStart(5)} s  ${count(completed)}/${count(requested)} (${percent}%)${failures}, ` +
    `${count(perSecond)}/s, ${count(offloaded)} offloaded on ${activeNic}`
  );
}
