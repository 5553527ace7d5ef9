// What grpc-js's two interoperability programs share: the schema, loaded when they start, and their flags.
'use strict';

const fs = require('fs');
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

const orca = grpc.loadPackageDefinition(
  protoLoader.loadSync('xds/service/orca/v3/orca.proto', {
    keepCase: true,
    defaults: true,
    includeDirs: [path.join(__dirname, '..', '..', '..', 'proto')],
  })
).xds;

// {name: value} of --name=value.
function flags() {
  return Object.fromEntries(process.argv.slice(2).map((word) => word.replace(/^--/, '').split('=')));
}

const withTls = () => flags().use_tls === 'true';

function channelCredentials() {
  return withTls() ? grpc.credentials.createSsl(fs.readFileSync(flags().ca_file)) : grpc.credentials.createInsecure();
}

// The name that the server's certificate has to be for.
function channelOptions() {
  const name = flags().server_host_override;
  return withTls() ? { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name } : {};
}

function serverCredentials() {
  if (!withTls()) return grpc.ServerCredentials.createInsecure();
  const pair = { cert_chain: fs.readFileSync(flags().tls_cert_file), private_key: fs.readFileSync(flags().tls_key_file) };
  return grpc.ServerCredentials.createSsl(null, [pair]);
}

module.exports = {
  grpc,
  flags,
  channelCredentials,
  channelOptions,
  serverCredentials,
  zeros: (size) => Buffer.alloc(size),
  TestService: loaded.grpc.testing.TestService,
  OpenRcaService: orca.service.orca.v3.OpenRcaService,
  OrcaLoadReport: orca.data.orca.v3.OrcaLoadReport,
  UnimplementedService: loaded.grpc.testing.UnimplementedService,
  kEchoInitial: 'x-grpc-test-echo-initial',
  kEchoTrailing: 'x-grpc-test-echo-trailing-bin',
};
