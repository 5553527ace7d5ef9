// Node's client, run through the cases against some peer's server: "ok NAME" or "FAIL NAME: why" for each.
//
// client.js HOST:PORT [CASE ...]: status 0 when all cases pass.
'use strict';

const { grpc, pattern, Peer, Absent, ProdService } = require('./peer');

const { status } = grpc;
// A bound for every call, so that a case that would hang fails.
const bounded = (ms = 20000) => ({ deadline: Date.now() + ms });
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function expect(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

// A unary call as a promise of {response, headers, trailers}; `use` gets the call.
function unary(client, method, request, { metadata = new grpc.Metadata(), options = bounded(), use = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    let headers = null;
    let response = null;
    const call = client[method](request, metadata, options, (error, value) => {
      response = value;
      if (error) reject(error);
    });
    call.on('metadata', (received) => (headers = received));
    call.on('status', (ended) => resolve({ response, headers, trailers: ended.metadata }));
    use(call);
  });
}

async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    if (error.code === undefined) throw error;
    return error;
  }
  throw new Error('the call succeeded');
}

function expectCode(error, code) {
  expect(error.code === code, `${error.message} is ${status[code]}`);
}

// The messages and the status of a stream, read to its end.
function readAll(stream, each = () => {}) {
  return new Promise((resolve) => {
    const messages = [];
    stream.on('data', (message) => {
      messages.push(message);
      each(message, messages.length);
    });
    stream.on('error', () => {});
    stream.on('status', (ended) => resolve({ messages, ended }));
  });
}

function collect(peer, send) {
  return new Promise((resolve, reject) => {
    const stream = peer.Collect(bounded(), (error, response) => (error ? reject(error) : resolve(response)));
    send(stream);
  });
}

async function serverSaw(peer, name) {
  for (let i = 0; i < 100; ++i) {
    const { response } = await unary(peer, 'WasCancelled', { name });
    if (response.cancelled) return;
    await sleep(50);
  }
  throw new Error('not so: the server saw the cancellation');
}

async function readFeed(peer, count, size) {
  const { messages, ended } = await readAll(peer.Feed({ response_count: count, response_size: size }, bounded()));
  expect(ended.code === status.OK, ended.details);
  expect(messages.length === count, `${messages.length} responses are ${count}`);
  const expected = pattern(size);
  expect(messages.every((message) => message.payload.equals(expected)), "the payloads' bytes");
}

async function sendCollection(peer, count, size) {
  const response = await collect(peer, async (stream) => {
    for (let i = 0; i < count; ++i) {
      if (!stream.write({ payload: pattern(size) })) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  });
  expect(response.received_count === count, `${response.received_count} requests are ${count}`);
  expect(response.received_size === count * size, `${response.received_size} bytes`);
}

function failure(peer, code, message, details = Buffer.alloc(0)) {
  return failureOf(unary(peer, 'Unary', { fail: { code, message, details } }));
}

function metadataOf(pairs) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of pairs) metadata.add(name, value);
  return metadata;
}

// Node's http2 joins the values of a repeated header by ", " (as HTTP allows), so one cannot ask for more.
const same = (values, expected) => values.join(', ') === expected.join(', ');

const cases = {
  // ---- messages ----

  async empty_unary({ peer }) {
    const { response } = await unary(peer, 'Unary', {});
    expect(response.payload.length === 0 && response.received_count === 1, JSON.stringify(response));
  },

  async large_unary({ peer }) {
    const { response } = await unary(peer, 'Unary', { payload: pattern(3000000), response_size: 3500000 });
    expect(response.payload.equals(pattern(3500000)), "the payload's bytes");
    expect(response.received_size === 3000000, `${response.received_size} bytes received`);
  },

  async response_too_large({ peer }) {
    expectCode(await failureOf(unary(peer, 'Unary', { response_size: 5000000 })), status.RESOURCE_EXHAUSTED);
  },

  async request_too_large({ peer }) {
    expectCode(await failureOf(unary(peer, 'Unary', { payload: pattern(5000000) })), status.RESOURCE_EXHAUSTED);
  },

  // ---- streams ----

  server_streaming: ({ peer }) => readFeed(peer, 100, 1000),
  empty_server_stream: ({ peer }) => readFeed(peer, 0, 0),
  flow_control: ({ peer }) => readFeed(peer, 256, 65536),
  client_streaming: ({ peer }) => sendCollection(peer, 100, 20000),
  empty_client_stream: ({ peer }) => sendCollection(peer, 0, 0),

  async ping_pong({ peer }) {
    const stream = peer.Chat(bounded());
    const ping = (i) => stream.write({ payload: Buffer.from(`ping ${i}`), response_count: 1 });
    let wrong = '';
    const reading = readAll(stream, (response, i) => {
      if (String(response.payload) !== `ping ${i}` || response.received_count !== i) wrong ||= JSON.stringify(response);
      if (i < 50) ping(i + 1);
      else stream.end();
    });
    ping(1);
    const { messages, ended } = await reading;
    expect(ended.code === status.OK, ended.details);
    expect(messages.length === 50 && !wrong, wrong || `${messages.length} responses are 50`);
  },

  async half_close({ peer }) {
    const stream = peer.Chat(bounded());
    const reading = readAll(stream);
    stream.write({ payload: Buffer.from('half'), response_count: 5, delay_ms: 20 });
    stream.end();
    const { messages, ended } = await reading;
    expect(ended.code === status.OK, ended.details);
    expect(messages.length === 5, `${messages.length} responses are 5`);
  },

  // ---- metadata ----

  async metadata_repeated({ peer }) {
    const metadata = metadataOf([
      ['x-echo-a', 'one'], ['x-echo-a', 'two'], ['x-echo-b', 'a, b'], ['x-trail-a', 'three'], ['x-trail-a', 'four'],
    ]);
    const { headers, trailers } = await unary(peer, 'Unary', {}, { metadata });
    expect(same(headers.get('x-echo-a'), ['one', 'two']), JSON.stringify(headers.getMap()));
    expect(same(headers.get('x-echo-b'), ['a, b']), JSON.stringify(headers.getMap()));
    expect(same(trailers.get('x-trail-a'), ['three', 'four']), JSON.stringify(trailers.getMap()));
    expect(headers.get('x-trail-a').length === 0, 'no trailer among the headers');
  },

  async metadata_binary({ peer }) {
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const metadata = metadataOf([
      ['x-echo-bin', everyByte], ['x-echo-bin', Buffer.from('a')], ['x-trail-bin', everyByte],
    ]);
    const { headers, trailers } = await unary(peer, 'Unary', {}, { metadata });
    const received = headers.get('x-echo-bin');
    expect(received.length === 2 && received[0].equals(everyByte) && String(received[1]) === 'a', 'the headers');
    expect(trailers.get('x-trail-bin').length === 1 && trailers.get('x-trail-bin')[0].equals(everyByte), 'the trailer');
  },

  // ---- statuses ----

  async status_codes({ peer }) {
    for (let code = 1; code <= 16; ++code) {
      const error = await failure(peer, code, 'why');
      expect(error.code === code && error.details === 'why', `${error.message} is code ${code}`);
    }
  },

  async status_message({ peer }) {
    const message = '\t库存 is 50 % off, naïve\r\nsecond line 😈 ';
    const error = await failure(peer, 5, message);
    expectCode(error, status.NOT_FOUND);
    expect(error.details === message, `${JSON.stringify(error.details)} is ${JSON.stringify(message)}`);
  },

  async status_details({ peer }) {
    const details = Buffer.from('\x08\x09\x12\x03why\x1a\x06\x0a\x01t\x12\x01v');
    const error = await failure(peer, 9, 'why', details);
    expectCode(error, status.FAILED_PRECONDITION);
    const received = error.metadata.get('grpc-status-details-bin');
    expect(received.length === 1 && details.equals(received[0]), JSON.stringify(received));
  },

  async status_after_messages({ peer }) {
    const request = { payload: Buffer.from('some'), response_count: 3, fail: { code: 8, message: 'no more' } };
    const { messages, ended } = await readAll(peer.Feed(request, bounded()));
    expect(messages.length === 3, `${messages.length} responses are 3`);
    expect(ended.code === status.RESOURCE_EXHAUSTED && ended.details === 'no more', ended.details);
  },

  async status_before_end_of_requests({ peer }) {
    const error = await failureOf(collect(peer, (stream) => {
      stream.write({ payload: pattern(1000) });
      stream.write({ fail: { code: 9, message: 'enough' } });
    }));
    expectCode(error, status.FAILED_PRECONDITION);
    expect(error.details === 'enough', error.details);
  },

  async missing_method({ peer }) {
    expectCode(await failureOf(unary(peer, 'Missing', {})), status.UNIMPLEMENTED);
  },

  async missing_service({ absent }) {
    expectCode(await failureOf(unary(absent, 'Call', {})), status.UNIMPLEMENTED);
  },

  // ---- deadlines and cancellation ----

  async deadline_exceeded({ peer, runName }) {
    const call_name = `deadline ${runName}`;
    const begin = Date.now();
    const error = await failureOf(unary(peer, 'Unary', { delay_ms: 30000, call_name }, { options: bounded(300) }));
    const took = Date.now() - begin;
    expectCode(error, status.DEADLINE_EXCEEDED);
    expect(took >= 290 && took < 5000, `${took} ms are about 300`);
    await serverSaw(peer, call_name);
  },

  async deadline_seen({ peer }) {
    const { response: with15s } = await unary(peer, 'Unary', {}, { options: bounded(15000) });
    expect(with15s.deadline_left_ms > 5000 && with15s.deadline_left_ms <= 15500, `${with15s.deadline_left_ms} ms are left`);
    const { response: without } = await unary(peer, 'Unary', {}, { options: {} });
    expect(without.deadline_left_ms === -1, `${without.deadline_left_ms} is -1`);
  },

  async cancel_unary({ peer, runName }) {
    const call_name = `unary ${runName}`;
    const use = (call) => setTimeout(() => call.cancel(), 300);
    expectCode(await failureOf(unary(peer, 'Unary', { delay_ms: 30000, call_name }, { use })), status.CANCELLED);
    await serverSaw(peer, call_name);
  },

  async cancel_server_stream({ peer, runName }) {
    const call_name = `feed ${runName}`;
    const stream = peer.Feed({ response_count: 1000000, delay_ms: 5, call_name }, bounded());
    const { ended } = await readAll(stream, (_, count) => {
      if (count === 3) stream.cancel();
    });
    expect(ended.code === status.CANCELLED, ended.details);
    await serverSaw(peer, call_name);
  },

  async cancel_bidi({ peer, runName }) {
    const call_name = `chat ${runName}`;
    const stream = peer.Chat(bounded());
    // Node ends the stream before it resets it; so the server must be busy, or all it sees is an end.
    const reading = readAll(stream, () => {
      stream.write({ response_count: 1, delay_ms: 30000, call_name }, () => setTimeout(() => stream.cancel(), 300));
    });
    stream.write({ payload: Buffer.from('hello'), response_count: 1, call_name });
    const { ended } = await reading;
    expect(ended.code === status.CANCELLED, ended.details);
    await serverSaw(peer, call_name);
  },

  // ---- many, and the shop ----

  async concurrent({ peer }) {
    const calls = Array.from({ length: 200 }, (_, i) =>
      unary(peer, 'Unary', { payload: Buffer.from(String(i)), delay_ms: i % 7 }));
    (await Promise.all(calls)).forEach(({ response }, i) => expect(String(response.payload) === String(i), `payload ${i}`));
  },

  async prod({ shop }) {
    const { response } = await unary(shop, 'GetProdStock', { prod_id: 4 });
    expect(response.prod_stock === 80, `${response.prod_stock} is 80`);
  },
};

async function main() {
  const [target, ...only] = process.argv.slice(2);
  const clients = [Peer, Absent, ProdService].map((Client) => new Client(target, grpc.credentials.createInsecure()));
  const [peer, absent, shop] = clients;
  const fixture = { peer, absent, shop, runName: String(process.hrtime.bigint()) };
  for (const [name, run] of Object.entries(cases)) {
    if (only.length > 0 && !only.includes(name)) continue;
    try {
      await run(fixture);
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`FAIL ${name}: ${JSON.stringify(error.message)}`);
      process.exitCode = 1;
    }
  }
  for (const client of clients) client.close();
}

main();
