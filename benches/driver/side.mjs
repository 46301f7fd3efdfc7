// What the benchmarks of a wasm module under Node share.
import { readFileSync } from 'node:fs';
import { cpuUsage, hrtime } from 'node:process';

const BATCH_NS = 4_000_000; // short corpora are repeated until a sample lasts this long

// A module of the guest crate: its memory, its table of bodies, its verdicts.
export class Side {
  constructor(path) {
    const module = new WebAssembly.Module(readFileSync(path));
    const imports = WebAssembly.Module.imports(module);
    if (imports.length > 0) throw new Error(`${path} imports ${imports.map((i) => `${i.module}.${i.name}`)}`);
    this.exports = new WebAssembly.Instance(module, {}).exports;
  }

  write(bytes) {
    const address = this.exports.reserve(bytes.length) >>> 0;
    new Uint8Array(this.exports.memory.buffer).set(bytes, address);
    return address;
  }

  open(bytes, by = 'open') {
    const started = hrtime.bigint();
    const handle = this.exports[by](this.write(bytes), bytes.length) >>> 0;
    if (handle === 0xffffffff) throw new Error('the module refuses its input');
    return { handle, openNs: Number(hrtime.bigint() - started) };
  }

  // Lays out the bodies and the table that `judge` takes.
  table(bytes, index) {
    let address = this.write(bytes);
    const table = new Uint32Array(index.length * 3);
    index.forEach(([length], at) => {
      table.set([address, length, 0], at * 3);
      address += length;
    });
    return { address: this.write(new Uint8Array(table.buffer)), count: index.length };
  }

  judge(handle, { address, count }) {
    return this.exports.judge(handle, address, count);
  }

  verdicts({ address, count }) {
    const words = new Uint32Array(this.exports.memory.buffer, address, count * 3);
    return Array.from({ length: count }, (_, at) => words[at * 3 + 2] === 1);
  }
}

// CPU time, not wall time: what else runs on the machine must not count.
export function sample(side, handle, table, repeats) {
  const started = cpuUsage();
  for (let i = 0; i < repeats; i++) side.judge(handle, table);
  const { user, system } = cpuUsage(started);
  return ((user + system) * 1000) / repeats;
}

// How often to repeat what takes `ns`.
export function repeatsFor(ns) {
  return Math.max(1, Math.min(1000, Math.ceil(BATCH_NS / ns)));
}
