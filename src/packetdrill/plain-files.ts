/**
 * Files and pipes of scripts, as much of them as matters to sockets: how many bytes there are to read. Which bytes, no script
 * says; over the wire goes the stream of the connection (stream-bytes.ts).
 */

/** Sixteen pages, as a pipe of Linux holds. */
const PIPE_BYTES = 65_536;

export class PlainFile {
  readonly size: number;
  position = 0;

  constructor(size: number) {
    this.size = size;
  }

  /** Of `count` bytes from `offset` on. */
  readable(offset: number, count: number): number {
    return Math.max(0, Math.min(count, this.size - offset));
  }
}

export class Pipe {
  bytes = 0;
  readerClosed = false;
  writerClosed = false;

  get room(): number {
    return PIPE_BYTES - this.bytes;
  }
}

export class PipeEnd {
  readonly pipe: Pipe;
  readonly isReader: boolean;

  constructor(pipe: Pipe, isReader: boolean) {
    this.pipe = pipe;
    this.isReader = isReader;
  }

  close(): void {
    if (this.isReader) this.pipe.readerClosed = true;
    else this.pipe.writerClosed = true;
  }
}
