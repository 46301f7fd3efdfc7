// Times both validators in V8 on the same bodies, in interleaved rounds.
//
// node schema.mjs INPUT_DIRECTORY BASELINE.wasm ENGINE.wasm ROUNDS
//
// INPUT_DIRECTORY/input.json: [{ name, baseline: FILE, engine: FILE, bodies: FILE, index: [[length, valid]…] }…];
// the files `baseline` and `engine` are what each module's `open` takes. Writes one JSON array to
// standard output: for each corpus the minima in nanoseconds, and where the verdicts differ.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, cpuUsage, hrtime, stdout } from 'node:process';

const [directory, baselinePath, enginePath, rounds] = argv.slice(2);
const ENTRY = 12; // address, length, verdict: three words
const BATCH_NS = 4_000_000; // short corpora are repeated until a sample lasts this long

class Side {
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

  open(bytes) {
    const started = hrtime.bigint();
    const handle = this.exports.open(this.write(bytes), bytes.length) >>> 0;
    if (handle === 0xffffffff) throw new Error('the module refuses its schema');
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
function sample(side, handle, table, repeats) {
  const started = cpuUsage();
  for (let i = 0; i < repeats; i++) side.judge(handle, table);
  const { user, system } = cpuUsage(started);
  return ((user + system) * 1000) / repeats;
}

// The valid bodies alone: a refused body may end early, which must not flatter the throughput.
function onlyValid(bytes, index) {
  const parts = [];
  let at = 0;
  for (const [length, valid] of index) {
    if (valid) parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return { bytes: Buffer.concat(parts), index: parts.map((part) => [part.length, true]) };
}

const sides = { baseline: new Side(baselinePath), engine: new Side(enginePath) };
const corpora = JSON.parse(readFileSync(join(directory, 'input.json'), 'utf8')).map((corpus) => {
  const bytes = readFileSync(join(directory, corpus.bodies));
  const valid = onlyValid(bytes, corpus.index);
  const runs = {};
  for (const [name, side] of Object.entries(sides)) {
    const opened = side.open(readFileSync(join(directory, corpus[name])));
    const all = side.table(bytes, corpus.index);
    runs[name] = { side, ...opened, all, valid: side.table(valid.bytes, valid.index), best: { all: Infinity, valid: Infinity } };
    side.judge(opened.handle, all);
    runs[name].verdicts = side.verdicts(all);
  }
  const disagreements = corpus.index.flatMap(([, expected], at) => {
    const answers = { baseline: runs.baseline.verdicts[at], engine: runs.engine.verdicts[at], expected };
    return answers.baseline === expected && answers.engine === expected ? [] : [{ body: at, ...answers }];
  });
  return { corpus, runs, valid, bytes, disagreements };
});

for (let round = 0; round < Number(rounds); round++) {
  for (const { runs } of corpora) {
    // Each round starts with the other side, so that neither always finds the caches warm.
    const order = round % 2 ? ['engine', 'baseline'] : ['baseline', 'engine'];
    for (const which of ['all', 'valid']) {
      for (const name of order) {
        const run = runs[name];
        const repeats = Math.max(1, Math.min(1000, Math.ceil(BATCH_NS / run.best[which])));
        const ns = sample(run.side, run.handle, run[which], repeats);
        run.best[which] = Math.min(run.best[which], ns);
      }
    }
  }
}

const results = corpora.map(({ corpus, runs, valid, bytes, disagreements }) => {
  const result = {
    name: corpus.name,
    bodies: corpus.index.length,
    bytes: bytes.length,
    valid_bodies: valid.index.length,
    valid_bytes: valid.bytes.length,
    disagreements,
  };
  for (const [name, run] of Object.entries(runs)) {
    const before = run.side.exports.count_allocations() >>> 0;
    run.side.judge(run.handle, run.valid);
    const allocations = (run.side.exports.count_allocations() >>> 0) - before;
    result[name] = { all_ns: run.best.all, valid_ns: run.best.valid, open_ns: run.openNs, allocations };
  }
  return result;
});
stdout.write(JSON.stringify(results));
