// Times bundles in V8 on the same requests, in interleaved rounds.
//
// node attack.mjs INPUT_DIRECTORY ENGINE.wasm ROUNDS
//
// INPUT_DIRECTORY/input.json: { variants: [{ name, bundle: FILE }…], messages: FILE, lengths: [length…] }; each bundle's
// file is what the module's `open_gateway` takes. Writes one JSON array to standard output: for each variant the
// least nanoseconds for all messages, how many passed, and the allocations of a round.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { Side, repeatsFor, sample } from './side.mjs';

const [directory, enginePath, rounds] = argv.slice(2);
const input = JSON.parse(readFileSync(join(directory, 'input.json'), 'utf8'));
const bytes = readFileSync(join(directory, input.messages));
const index = input.lengths.map((length) => [length, true]);

const side = new Side(enginePath);
const table = side.table(bytes, index);
const runs = input.variants.map(({ name, bundle }) => {
  const { handle, openNs } = side.open(readFileSync(join(directory, bundle)), 'open_gateway');
  const passed = side.judge(handle, table);
  const refused = side.verdicts(table).flatMap((verdict, at) => (verdict ? [] : [at]));
  return { name, handle, open_ns: openNs, passed, refused, all_ns: Infinity };
});

for (let round = 0; round < Number(rounds); round++) {
  // Each round starts with another variant, so that none always finds the caches warm.
  for (let at = 0; at < runs.length; at++) {
    const run = runs[(at + round) % runs.length];
    run.all_ns = Math.min(run.all_ns, sample(side, run.handle, table, repeatsFor(run.all_ns)));
  }
}

for (const run of runs) {
  const before = side.exports.count_allocations() >>> 0;
  side.judge(run.handle, table);
  run.allocations = (side.exports.count_allocations() >>> 0) - before;
}
stdout.write(JSON.stringify(runs));
