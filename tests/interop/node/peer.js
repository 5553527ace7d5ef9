// What Node's peers share: the schemas, loaded when they start.
'use strict';

const path = require('path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const root = path.join(__dirname, '..', '..', '..');
const loaded = grpc.loadPackageDefinition(
  protoLoader.loadSync([path.join(__dirname, '..', 'peer.proto'), path.join(root, 'examples', 'prod', 'Prod.proto')], {
    keepCase: true,
    longs: Number,
    defaults: true,
  })
);

function pattern(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; ++i) bytes[i] = i % 251;
  return bytes;
}

module.exports = {
  grpc,
  pattern,
  Peer: loaded.minigrpc.interop.Peer,
  Absent: loaded.minigrpc.interop.Absent,
  ProdService: loaded.ProdService,
};
