// Times both validators in V8 on the same bodies, in interleaved rounds.
//
// node schema.mjs INPUT_DIRECTORY BASELINE.wasm ENGINE.wasm ROUNDS
//
// INPUT_DIRECTORY/input.json: [{ name, baseline: FILE, engine: FILE, bodies: FILE, index: [[length, valid]…] }…];
// the files `baseline` and `engine` are what each module's `open` takes. Writes one JSON array to
// standard output: for each corpus the minima in nanoseconds, and where the verdicts differ.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { Side, repeatsFor, sample } from './side.mjs';

const [directory, baselinePath, enginePath, rounds] = argv.slice(2);

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
        const ns = sample(run.side, run.handle, run[which], repeatsFor(run.best[which]));
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
