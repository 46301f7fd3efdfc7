// Counts the calls of the host that a request costs: the filter's own module, in place of Envoy a host that keeps
// shared data and answers the rest with nothing.
//
// node hostcalls.mjs FILTER.wasm INPUT.json
//
// INPUT.json: { variants: [{ name, configuration }…], requests: [[[name, value]…]…] }; the requests have no body and
// must pass. Each is sent twice, and counted the second time. Writes one JSON array to standard output:
// { name, calls: { NAME: calls a request } }.
import { readFileSync } from 'node:fs';
import { argv, stdout } from 'node:process';

const [path, inputPath] = argv.slice(2);
const module = new WebAssembly.Module(readFileSync(path));
const input = JSON.parse(readFileSync(inputPath, 'utf8'));
const [OK, NOT_FOUND, CAS_MISMATCH] = [0, 1, 8];
const WARN = 3;
const ROOT = 1;
const CONFIGURATION = 7;
const PROPERTIES = { plugin_name: 'bench', plugin_root_id: 'bench', 'source\0address': '203.0.113.7:40000' };

// Header fields as the ABI passes them: their number, lengths, then each with a zero behind.
function serialise(fields) {
  const words = [fields.length, ...fields.flat().map((text) => Buffer.byteLength(text))];
  const head = Buffer.from(new Uint32Array(words).buffer);
  return Buffer.concat([head, Buffer.from(fields.flat().map((text) => `${text}\0`).join(''))]);
}

// A worker under one configuration.
class Worker {
  constructor(configuration) {
    this.shared = new Map();
    this.calls = {};
    this.clock = 1_800_000_000_000_000_000n;
    this.metrics = 0;
    const env = {};
    for (const { name } of WebAssembly.Module.imports(module)) {
      env[name] = (...given) => {
        this.calls[name] = (this.calls[name] ?? 0) + 1;
        return this[name]?.(...given) ?? OK;
      };
    }
    this.exports = new WebAssembly.Instance(module, { env }).exports;
    this.configuration = Buffer.from(configuration);
    this.exports._initialize();
    this.exports.proxy_on_context_create(ROOT, 0);
    this.exports.proxy_on_vm_start(ROOT, 0);
    this.exports.proxy_on_configure(ROOT, this.configuration.length);
    this.context = ROOT;
  }

  request(fields) {
    const context = ++this.context;
    this.clock += 1_000_000n;
    this.headers = serialise(fields);
    this.exports.proxy_on_context_create(context, ROOT);
    if (this.exports.proxy_on_request_headers(context, fields.length, 1) !== 0) throw new Error('a request was held');
    this.headers = serialise([[':status', '200']]);
    this.exports.proxy_on_response_headers(context, 1, 1);
    this.exports.proxy_on_done(context);
    this.exports.proxy_on_log(context);
    this.exports.proxy_on_delete(context);
  }

  bytes(at, length) {
    return Buffer.from(this.exports.memory.buffer, at >>> 0, length >>> 0);
  }

  word(at, value) {
    this.bytes(at, 4).writeUInt32LE(value);
  }

  // Hands bytes over in memory of the module's own.
  give(value, data, size) {
    const place = this.exports.malloc(value.length) >>> 0;
    this.bytes(place, value.length).set(value);
    this.word(data, place);
    this.word(size, value.length);
    return OK;
  }

  proxy_get_current_time_nanoseconds(at) {
    this.bytes(at, 8).writeBigUInt64LE(this.clock);
  }

  proxy_get_header_map_pairs(map, data, size) {
    return this.give(this.headers, data, size);
  }

  proxy_get_buffer_bytes(buffer, start, length, data, size) {
    return buffer === CONFIGURATION ? this.give(this.configuration, data, size) : NOT_FOUND;
  }

  proxy_get_property(name, length, data, size) {
    const value = PROPERTIES[this.bytes(name, length).toString()];
    return value === undefined ? NOT_FOUND : this.give(Buffer.from(value), data, size);
  }

  proxy_get_shared_data(key, length, data, size, version) {
    const known = this.shared.get(this.bytes(key, length).toString());
    if (known === undefined) return NOT_FOUND;
    this.word(version, known.version);
    return this.give(known.value, data, size);
  }

  proxy_set_shared_data(key, length, data, size, version) {
    const name = this.bytes(key, length).toString();
    const known = this.shared.get(name)?.version ?? 0;
    // As Envoy does: where nothing is there any version will do.
    if (version !== 0 && known !== 0 && version >>> 0 !== known) return CAS_MISMATCH;
    this.shared.set(name, { value: Buffer.from(this.bytes(data, size)), version: known + 1 });
  }

  proxy_define_metric(kind, name, length, metric) {
    this.word(metric, ++this.metrics);
  }

  // A complaint means that something else is counted than is meant.
  proxy_log(level, line, length) {
    if (level >= WARN) throw new Error(this.bytes(line, length).toString());
  }

  proxy_send_local_response() {
    throw new Error('a request was refused');
  }
}

const counted = input.variants.map(({ name, configuration }) => {
  const worker = new Worker(configuration);
  input.requests.forEach((fields) => worker.request(fields));
  worker.calls = {};
  input.requests.forEach((fields) => worker.request(fields));
  const calls = Object.entries(worker.calls).map(([call, sum]) => [call, sum / input.requests.length]);
  return { name, calls: Object.fromEntries(calls) };
});
stdout.write(JSON.stringify(counted));
