// grpc-js's side of gRPC's interoperability tests: server.js --port=PORT, until SIGTERM.
'use strict';

const { grpc, flags, serverCredentials, zeros, TestService, kEchoInitial, kEchoTrailing } = require('./service');

// Echoes the initial metadata; the trailing, for who ends the call.
function begin(call) {
  const initial = new grpc.Metadata();
  for (const value of call.metadata.get(kEchoInitial)) initial.add(kEchoInitial, value);
  call.sendMetadata(initial);
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(kEchoTrailing)) trailing.add(kEchoTrailing, value);
  return trailing;
}

const failureOf = (request) =>
  request.response_status && request.response_status.code !== 0
    ? { code: request.response_status.code, details: request.response_status.message }
    : null;

function reportLoad(recorder, report) {
  recorder.recordCPUUtilizationMetric(report.cpu_utilization);
  recorder.recordMemoryUtilizationMetric(report.memory_utilization);
  for (const [name, value] of Object.entries(report.utilization)) recorder.recordUtilizationMetric(name, value);
  for (const [name, value] of Object.entries(report.request_cost)) recorder.recordRequestCostMetric(name, value);
}

function unaryCall(call, done) {
  const trailing = begin(call);
  const { request } = call;
  const failure = failureOf(request);
  if (failure) return done({ ...failure, metadata: trailing });
  if (request.orca_per_query_report) reportLoad(call.getMetricsRecorder(), request.orca_per_query_report);
  done(
    null,
    { payload: { body: zeros(request.response_size) }, server_id: request.fill_server_id ? `node-${process.pid}` : '' },
    trailing
  );
}

function cacheableUnaryCall(call, done) {
  const headers = new grpc.Metadata();
  headers.set('cache-control', 'max-age=60, public');
  call.sendMetadata(headers);
  done(null, { payload: { body: Buffer.from(String(process.hrtime.bigint())) } });
}

async function answer(call, request) {
  for (const { size, interval_us } of request.response_parameters) {
    if (interval_us > 0) await new Promise((resolve) => setTimeout(resolve, interval_us / 1000));
    if (call.cancelled) return;
    call.write({ payload: { body: zeros(size) } });
  }
}

async function streamingOutputCall(call) {
  const trailing = begin(call);
  await answer(call, call.request);
  call.end(trailing);
}

function streamingInputCall(call, done) {
  const trailing = begin(call);
  let size = 0;
  call.on('data', (request) => (size += request.payload ? request.payload.body.length : 0));
  call.on('end', () => done(null, { aggregated_payload_size: size }, trailing));
}

function fullDuplexCall(call) {
  const trailing = begin(call);
  let failed = false;
  let answered = Promise.resolve();
  call.on('data', (request) => {
    answered = answered.then(() => {
      const failure = failureOf(request);
      if (!failure || failed) return answer(call, request);
      failed = true;
      return call.emit('error', { ...failure, metadata: trailing });
    });
  });
  call.on('end', () => answered.then(() => failed || call.cancelled || call.end(trailing)));
}

const server = new grpc.Server({ 'grpc.server_call_metric_recording': 1 });
server.addService(TestService.service, {
  EmptyCall: (call, done) => done(null, {}, begin(call)),
  UnaryCall: unaryCall,
  CacheableUnaryCall: cacheableUnaryCall,
  StreamingOutputCall: streamingOutputCall,
  StreamingInputCall: streamingInputCall,
  FullDuplexCall: fullDuplexCall,
});
server.bindAsync(`127.0.0.1:${flags().port}`, serverCredentials(), (error, port) => {
  if (error) throw error;
  console.log(`listening ${port}`);
});
process.on('SIGTERM', () => server.forceShutdown());
