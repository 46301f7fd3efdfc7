// The CPU milliseconds that a fresh module takes to verify a bundle for the first time, and again.
//
// node load.mjs ENGINE.wasm BUNDLE
import { readFileSync } from 'node:fs';
import { argv, cpuUsage, stdout } from 'node:process';

const [enginePath, bundlePath] = argv.slice(2);
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(enginePath)), {});
// `open` takes the index of a schema before the bundle; which one does not matter here.
const bytes = Buffer.concat([Buffer.alloc(4), readFileSync(bundlePath)]);
const address = exports.reserve(bytes.length) >>> 0;
new Uint8Array(exports.memory.buffer).set(bytes, address);

function open() {
  const started = cpuUsage();
  if (exports.open(address, bytes.length) >>> 0 === 0xffffffff) throw new Error('the bundle is refused');
  const { user, system } = cpuUsage(started);
  return (user + system) / 1000;
}

const first = open();
const warm = Math.min(...Array.from({ length: 9 }, open));
stdout.write(JSON.stringify({ first, warm }));
