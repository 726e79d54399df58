/**
 * On what a measurement was made: processor, memory, system, Node. A number without them says little, and two of them
 * compare only when these are the same.
 */
import { arch, cpus, loadavg, platform, totalmem } from 'node:os';

export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly system: string;
  readonly node: string;
  /** Of the last minute: above `cores`, others were waiting for the processor too. */
  readonly load: number;
}

export function machineFacts(): MachineFacts {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryMiB: Math.round(totalmem() / 1048576),
    system: `${platform()} ${arch()}`,
    node: process.version,
    load: loadavg()[0] ?? 0,
  };
}
