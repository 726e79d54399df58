/**
 * Names of numbers and places in lines of text (print.ts and print-ipv6.ts). Allocates.
 * Ports stand behind the address as users write them, which for IPv6 takes brackets (RFC 5952 6).
 */

/** The name that a constant object gives a number, in words: `FragmentationNeeded` → `fragmentation needed`. */
export function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  for (const [name, number] of Object.entries(names)) {
    if (number === value) return name.replace(/(?<!^)([A-Z])/g, ' $1').toLowerCase();
  }
  return `code ${value}`;
}

/** Both ends of a packet, each an address that is ready to have a port put behind it. */
export interface PrintedEnds {
  readonly source: string;
  readonly destination: string;
}

export function formatPorts(ends: PrintedEnds, srcPort: number, dstPort: number): string {
  return `${ends.source}:${srcPort} > ${ends.destination}:${dstPort}`;
}
