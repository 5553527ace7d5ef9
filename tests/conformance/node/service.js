// What grpc-js's two interoperability programs share: the schema, loaded when they start, and their flags.
'use strict';

const path = require('path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const loaded = grpc.loadPackageDefinition(
  protoLoader.loadSync('grpc/testing/test.proto', {
    keepCase: true,
    defaults: true,
    includeDirs: [path.join(__dirname, '..', 'proto')],
  })
);

// {name: value} of --name=value.
function flags() {
  return Object.fromEntries(process.argv.slice(2).map((word) => word.replace(/^--/, '').split('=')));
}

module.exports = {
  grpc,
  flags,
  zeros: (size) => Buffer.alloc(size),
  TestService: loaded.grpc.testing.TestService,
  UnimplementedService: loaded.grpc.testing.UnimplementedService,
  kEchoInitial: 'x-grpc-test-echo-initial',
  kEchoTrailing: 'x-grpc-test-echo-trailing-bin',
};
