// grpc-js's side of gRPC's interoperability tests: client.js --server_host=HOST --server_port=PORT --test_case=NAME.
// Status 0 where the case holds.
'use strict';

const assert = require('assert');
const {
  grpc,
  flags,
  channelCredentials,
  channelOptions,
  zeros,
  TestService,
  OpenRcaService,
  OrcaLoadReport,
  UnimplementedService,
  kEchoInitial,
  kEchoTrailing,
} = require('./service');

const { status } = grpc;
const kRequestSizes = [27182, 8, 1828, 45904];
const kResponseSizes = [31415, 9, 2653, 58979];
const kTrailingValue = Buffer.from([0xab, 0xab, 0xab]);
const target = `${flags().server_host}:${flags().server_port}`;

const newClient = (options = {}) => new TestService(target, channelCredentials(), { ...channelOptions(), ...options });
const largeRequest = () => ({ response_size: 314159, payload: { body: zeros(271828) } });

// A call's {response, headers, trailers}; rejects with its status. `begin` makes the call, given its callback.
function unary(begin) {
  return new Promise((resolve, reject) => {
    let headers = null;
    let response = null;
    const call = begin((error, value) => {
      response = value;
      if (error) reject(error);
    });
    call.on('metadata', (received) => (headers = received));
    call.on('status', (ended) => ended.code === status.OK && resolve({ response, headers, trailers: ended.metadata }));
  });
}

function expectZeros(payload, size) {
  assert.ok(payload.body.equals(zeros(size)), `a payload of ${payload.body.length} bytes, not ${size} zeros`);
}

async function expectFailure(promise, code, message) {
  const error = await promise.then(
    () => assert.fail('the call succeeded'),
    (reason) => reason
  );
  assert.strictEqual(error.code, code, error.message);
  if (message !== undefined) assert.strictEqual(error.details, message);
}

// All messages of a stream; rejects with its status. `each` is called with every message.
function readAll(call, each = () => {}) {
  return new Promise((resolve, reject) => {
    const messages = [];
    call.on('data', (message) => {
      messages.push(message);
      each(message, messages.length);
    });
    call.on('error', reject);
    call.on('end', () => resolve(messages));
  });
}

async function largeUnary(client) {
  const { response } = await unary((done) => client.UnaryCall(largeRequest(), done));
  expectZeros(response.payload, 314159);
}

async function pingPong(client) {
  const call = client.FullDuplexCall();
  const send = (i) =>
    call.write({ response_parameters: [{ size: kResponseSizes[i] }], payload: { body: zeros(kRequestSizes[i]) } });
  send(0);
  const messages = await readAll(call, (message, count) => (count < 4 ? send(count) : call.end()));
  assert.deepStrictEqual(messages.map((message) => message.payload.body.length), kResponseSizes);
}

async function customMetadata(client) {
  const metadata = new grpc.Metadata();
  metadata.set(kEchoInitial, 'test_initial_metadata_value');
  metadata.set(kEchoTrailing, kTrailingValue);
  const check = (headers, trailers) => {
    assert.deepStrictEqual(headers.get(kEchoInitial), ['test_initial_metadata_value']);
    assert.deepStrictEqual(trailers.get(kEchoTrailing), [kTrailingValue]);
  };
  const { headers, trailers } = await unary((done) => client.UnaryCall(largeRequest(), metadata, done));
  check(headers, trailers);
  const call = client.FullDuplexCall(metadata);
  const seen = {};
  call.on('metadata', (received) => (seen.headers = received));
  const ended = new Promise((resolve) => call.on('status', resolve));
  call.end({ response_parameters: [{ size: 314159 }], payload: { body: zeros(271828) } });
  await readAll(call);
  check(seen.headers, (await ended).metadata);
}

async function statusCodeAndMessage(client) {
  const response_status = { code: 2, message: 'test status message' };
  await expectFailure(unary((done) => client.UnaryCall({ response_status }, done)), 2, response_status.message);
  const call = client.FullDuplexCall();
  call.end({ response_status });
  await expectFailure(readAll(call), 2, response_status.message);
}

async function specialStatusMessage(client) {
  const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
  const response_status = { code: 2, message };
  await expectFailure(unary((done) => client.UnaryCall({ response_status }, done)), 2, message);
}

function clientStreaming(client) {
  return unary((done) => {
    const call = client.StreamingInputCall(done);
    for (const size of kRequestSizes) call.write({ payload: { body: zeros(size) } });
    call.end();
    return call;
  }).then(({ response }) => assert.strictEqual(response.aggregated_payload_size, 74922));
}

async function serverStreaming(client) {
  const response_parameters = kResponseSizes.map((size) => ({ size }));
  const messages = await readAll(client.StreamingOutputCall({ response_parameters }));
  messages.forEach((message, i) => expectZeros(message.payload, kResponseSizes[i]));
  assert.strictEqual(messages.length, 4);
}

// The channel compresses: grpc-js has no other way.
async function clientCompressedUnary() {
  const request = { ...largeRequest(), expect_compressed: { value: true } };
  await expectFailure(unary((done) => newClient().UnaryCall(request, done)), status.INVALID_ARGUMENT);
  const compressing = newClient({ 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });
  const { response } = await unary((done) => compressing.UnaryCall(request, done));
  expectZeros(response.payload, 314159);
  request.expect_compressed.value = false;
  await unary((done) => newClient().UnaryCall(request, done));
}

async function cancelAfterFirstResponse(client) {
  const call = client.FullDuplexCall();
  call.write({ response_parameters: [{ size: 31415 }], payload: { body: zeros(27182) } });
  await expectFailure(readAll(call, () => call.cancel()), status.CANCELLED);
}

async function pickFirstUnary(client) {
  const ids = new Set();
  for (let i = 0; i < 20; ++i) {
    ids.add((await unary((done) => client.UnaryCall({ fill_server_id: true }, done))).response.server_id);
  }
  assert.strictEqual(ids.size, 1);
  assert.ok(!ids.has(''));
}

async function soak(clientOf) {
  for (let i = 0; i < 10; ++i) await largeUnary(clientOf());
}

// What a load report shall be; grpc-js's policies are for experiments, so these cases look at what arrived.
function expectLoad(report, { cpu_utilization, memory_utilization, request_cost = {}, utilization }) {
  assert.deepStrictEqual(
    [report.cpu_utilization, report.mem_utilization, { ...report.request_cost }, { ...report.utilization }],
    [cpu_utilization, memory_utilization, request_cost, utilization]
  );
}

async function orcaPerRpc(client) {
  const orca_per_query_report = {
    cpu_utilization: 0.821,
    memory_utilization: 0.5847,
    request_cost: { cost: 3456.32 },
    utilization: { util: 0.30499 },
  };
  const { trailers } = await unary((done) => client.UnaryCall({ orca_per_query_report }, done));
  const [bytes] = trailers.get('endpoint-load-metrics-bin');
  expectLoad(OrcaLoadReport.deserialize(bytes), orca_per_query_report);
}

async function orcaOob(client) {
  const watch = new OpenRcaService(target, channelCredentials(), channelOptions());
  const reports = watch.StreamCoreMetrics({ report_interval: { seconds: 1, nanos: 0 } });
  reports.on('error', () => {}); // it is cancelled in the end
  const call = client.FullDuplexCall();
  for (const orca_oob_report of [
    { cpu_utilization: 0.821, memory_utilization: 0.5847, utilization: { util: 0.30499 } },
    { cpu_utilization: 0.29309, memory_utilization: 0.2, utilization: { util: 0.2039 } },
  ]) {
    const answered = new Promise((resolve) => call.once('data', resolve));
    call.write({ orca_oob_report, response_parameters: [{ size: 1 }] });
    await answered;
    const heard = await new Promise((resolve) =>
      reports.on('data', (report) => report.cpu_utilization === orca_oob_report.cpu_utilization && resolve(report))
    );
    expectLoad(heard, orca_oob_report);
  }
  reports.cancel();
  call.end();
  await readAll(call);
}

const cases = {
  empty_unary: (client) => unary((done) => client.EmptyCall({}, done)),
  large_unary: largeUnary,
  client_compressed_unary: clientCompressedUnary,
  client_streaming: clientStreaming,
  server_streaming: serverStreaming,
  ping_pong: pingPong,
  empty_stream: async (client) => {
    const call = client.FullDuplexCall();
    call.end();
    assert.strictEqual((await readAll(call)).length, 0);
  },
  custom_metadata: customMetadata,
  status_code_and_message: statusCodeAndMessage,
  special_status_message: specialStatusMessage,
  unimplemented_method: (client) =>
    expectFailure(unary((done) => client.UnimplementedCall({}, done)), status.UNIMPLEMENTED),
  unimplemented_service: () => {
    const client = new UnimplementedService(target, channelCredentials(), channelOptions());
    return expectFailure(unary((done) => client.UnimplementedCall({}, done)), status.UNIMPLEMENTED);
  },
  cancel_after_begin: (client) =>
    expectFailure(
      unary((done) => {
        const call = client.StreamingInputCall(done);
        call.cancel();
        return call;
      }),
      status.CANCELLED
    ),
  cancel_after_first_response: cancelAfterFirstResponse,
  timeout_on_sleeping_server: (client) => {
    const call = client.FullDuplexCall({ deadline: Date.now() + 1 });
    call.write({ payload: { body: zeros(27182) } });
    return expectFailure(readAll(call), status.DEADLINE_EXCEEDED);
  },
  concurrent_large_unary: (client) => Promise.all(Array.from({ length: 1000 }, () => largeUnary(client))),
  rpc_soak: (client) => soak(() => client),
  channel_soak: () => soak(() => newClient({ 'grpc.use_local_subchannel_pool': 1 })),
  pick_first_unary: pickFirstUnary,
  orca_per_rpc: orcaPerRpc,
  orca_oob: orcaOob,
};

const run = cases[flags().test_case];
if (!run) {
  console.log(`no case ${flags().test_case}`);
  process.exit(2);
}
run(newClient()).then(
  () => process.exit(0),
  (error) => {
    console.log(String(error.message || error).split('\n')[0]);
    process.exit(1);
  }
);
