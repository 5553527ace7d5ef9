// Node's side of peer.proto, and the shop's service.
//
// server.js [PORT]: serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until SIGTERM.
'use strict';

const { grpc, pattern, Peer, ProdService } = require('./peer');

const cancelled = new Set();

function chosen(metadata, prefix) {
  const some = new grpc.Metadata();
  for (const name of Object.keys(metadata.getMap()).filter((key) => key.startsWith(prefix))) {
    for (const value of metadata.get(name)) some.add(name, value);
  }
  return some;
}

// Echoes the metadata; the trailers, for who ends the call.
function begin(call) {
  call.sendMetadata(chosen(call.metadata, 'x-echo-'));
  call.received = { count: 0, size: 0 };
  call.name = '';
  call.on('cancelled', () => {
    if (call.name) cancelled.add(call.name);
    call.stopWaiting();
  });
  call.stopWaiting = () => {};
  call.drained = () => {};
  call.on('drain', () => call.drained());
  return chosen(call.metadata, 'x-trail-');
}

function receive(call, request) {
  call.received.count += 1;
  call.received.size += request.payload.length;
  call.name = request.call_name;
}

// The request's delay, or until the call is cancelled.
function wait(call, request) {
  if (!request.delay_ms) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, request.delay_ms);
    call.stopWaiting = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function responseTo(call, request) {
  const deadline = call.getDeadline();
  const bounded = deadline !== Infinity && Number.isFinite(+deadline);
  return {
    payload: request.response_size > 0 ? pattern(request.response_size) : request.payload,
    received_count: call.received.count,
    received_size: call.received.size,
    deadline_left_ms: bounded ? Math.max(+deadline - Date.now(), 0) : -1,
  };
}

// The status that the request wants, or null.
function failureOf(request, trailers) {
  if (!request.fail) return null;
  if (request.fail.details.length > 0) trailers.set('grpc-status-details-bin', request.fail.details);
  return { code: request.fail.code, details: request.fail.message, metadata: trailers };
}

async function answer(call, request) {
  for (let i = 0; i < request.response_count && !call.cancelled; ++i) {
    await wait(call, request);
    if (call.cancelled) return;
    // grpc-js buffers without bound unless one waits for the drain.
    if (!call.write(responseTo(call, request))) await new Promise((resolve) => (call.drained = call.stopWaiting = resolve));
  }
}

async function unary(call, done) {
  const trailers = begin(call);
  receive(call, call.request);
  await wait(call, call.request);
  done(failureOf(call.request, trailers), responseTo(call, call.request), trailers);
}

async function feed(call) {
  const trailers = begin(call);
  receive(call, call.request);
  await answer(call, call.request);
  if (call.cancelled) return;
  const failure = failureOf(call.request, trailers);
  if (failure) call.emit('error', failure);
  else call.end(trailers);
}

function collect(call, done) {
  const trailers = begin(call);
  let last = { payload: Buffer.alloc(0), response_size: 0 };
  let failed = false;
  call.on('data', (request) => {
    receive(call, request);
    last = request;
    const failure = failureOf(request, trailers);
    if (!failure || failed) return;
    failed = true;
    done(failure);
  });
  call.on('end', async () => {
    if (failed) return;
    await wait(call, last);
    done(null, responseTo(call, last), trailers);
  });
}

function chat(call) {
  const trailers = begin(call);
  let failed = false;
  // One request after the other, and the end after all of them.
  let answered = Promise.resolve();
  call.on('data', (request) => {
    answered = answered.then(async () => {
      if (failed || call.cancelled) return;
      receive(call, request);
      await answer(call, request);
      const failure = failureOf(request, trailers);
      if (!failure || call.cancelled) return;
      failed = true;
      call.emit('error', failure);
    });
  });
  call.on('end', () => answered.then(() => failed || call.cancelled || call.end(trailers)));
}

function wasCancelled(call, done) {
  done(null, { cancelled: cancelled.has(call.request.name) });
}

function main() {
  const server = new grpc.Server();
  server.addService(Peer.service, { Unary: unary, Feed: feed, Collect: collect, Chat: chat, WasCancelled: wasCancelled });
  server.addService(ProdService.service, {
    GetProdStock: (call, done) => done(null, { prod_stock: call.request.prod_id * 20 }),
  });
  server.bindAsync(`127.0.0.1:${process.argv[2] || 0}`, grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(`listening ${port}`);
  });
  const stop = () => {
    const timer = setTimeout(() => server.forceShutdown(), 2000);
    server.tryShutdown(() => clearTimeout(timer));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

main();
