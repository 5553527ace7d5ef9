// npm's client of etcd, taken through a registry: minigrpcd, or a real etcd, of which the same is expected. Each test
// keeps to keys of its own, below its name.
//
// ENDPOINT=HOST:PORT node etcd3_test.js
'use strict';

const assert = require('assert');
const { test } = require('node:test');
const etcd3 = require('etcd3');

// Long enough for a lease of two seconds to end on a busy machine; what would hang ends after it.
const kTimeoutMs = 30_000;
// The shortest that etcd grants with its defaults.
const kShortTtlS = 2;

const hosts = `http://${process.env.ENDPOINT}`;

// Watchers that listen: one that nobody cancels connects again and again, also when its client is closed.
const watchers = new Set();

// A test with a client, the prefix of its keys, and `connect` for more clients; all are closed at its end.
function registryTest(name, body) {
  test(name, { timeout: kTimeoutMs }, async () => {
    const clients = [];
    const connect = (options = {}) => {
      clients.push(new etcd3.Etcd3({ hosts, ...options }));
      return clients.at(-1);
    };
    try {
      await body(connect(), `${name}/`, connect);
    } finally {
      for (const watcher of watchers) await watcher.cancel();
      watchers.clear();
      clients.forEach((client) => client.close());
    }
  });
}

// What an emitter says by some of its events, as a queue: `await said.next()` is the next [event, first, second]. Of a
// watcher errors are always told; with one it ends.
function listen(emitter, ...names) {
  if (emitter instanceof etcd3.Watcher) {
    watchers.add(emitter);
    emitter.on('error', () => watchers.delete(emitter));
    names.push('error');
  }
  const queue = [];
  let wake = () => {};
  for (const name of names) {
    emitter.on(name, (...values) => {
      queue.push([name, ...values]);
      wake();
    });
  }
  return {
    async next() {
      while (queue.length === 0) await new Promise((resolve) => (wake = resolve));
      return queue.shift();
    },
  };
}

const last = (key) => key.toString().split('/').at(-1);

// "put a=1" of each of the next `count` changes that a watcher hears of.
async function changes(said, count) {
  const texts = [];
  while (texts.length < count) {
    const [what, kv] = await said.next();
    if (what === 'error') throw kv;
    texts.push(`${what} ${last(kv.key)}=${kv.value}`);
  }
  return texts;
}

// ---- KV ----

registryTest('kv_put_get_delete', async (etcd, prefix) => {
  const key = `${prefix}k`;
  const first = await etcd.put(key).value('one').exec();
  const second = await etcd.put(key).value('two').getPrevious();
  assert.strictEqual(second.value.toString(), 'one');
  assert.strictEqual(Number(second.header.revision), Number(first.header.revision) + 1);
  assert.strictEqual(await etcd.get(key).string(), 'two');
  assert.strictEqual(await etcd.get(key).revision(first.header.revision).string(), 'one');
  const { kvs } = await etcd.get(key).exec();
  assert.strictEqual(kvs[0].version, '2');
  assert.strictEqual(kvs[0].create_revision, first.header.revision);
  await etcd.put(key).touch();
  assert.strictEqual((await etcd.get(key).exec()).kvs[0].version, '3');
  assert.deepStrictEqual(
    (await etcd.delete().key(key).getPrevious()).map((kv) => kv.value.toString()),
    ['two']
  );
  assert.strictEqual(await etcd.get(key), null);
  assert.strictEqual(await etcd.get(key).exists(), false);
});

registryTest('kv_ranges', async (etcd, prefix) => {
  const space = etcd.namespace(prefix);
  for (const [key, value] of [['a', 3], ['b', 1], ['c', 2]]) await space.put(key).value(value);
  assert.deepStrictEqual(await space.getAll().numbers(), { a: 3, b: 1, c: 2 });
  assert.deepStrictEqual(await space.getAll().sort('Value', 'Descend').keys(), ['a', 'c', 'b']);
  assert.deepStrictEqual(await space.getAll().inRange({ start: 'a', end: 'c' }).keys(), ['a', 'b']);
  assert.strictEqual(await space.getAll().count(), 3);
  const limited = await space.getAll().limit(2).exec();
  assert.deepStrictEqual([limited.kvs.length, limited.more, limited.count], [2, true, '3']);
  assert.strictEqual((await space.delete().prefix('').exec()).deleted, '3');
  assert.deepStrictEqual(await etcd.getAll().prefix(prefix).strings(), {});
});

registryTest('kv_transaction', async (etcd, prefix) => {
  const key = `${prefix}k`;
  await etcd.put(key).value('v');
  const succeeded = await etcd
    .if(key, 'Value', '==', 'v')
    .and(key, 'Version', '>', 0)
    .and(`${prefix}none`, 'Create', '==', 0)
    .then(etcd.put(key).value('w'), etcd.get(key))
    .else(etcd.delete().key(key))
    .commit();
  assert.strictEqual(succeeded.succeeded, true);
  assert.strictEqual(succeeded.responses[1].response_range.kvs[0].value.toString(), 'w');
  const failed = await etcd.if(key, 'Mod', '<', 1).then(etcd.delete().key(key)).else(etcd.get(key)).commit();
  assert.strictEqual(failed.succeeded, false);
  assert.strictEqual(failed.responses[0].response_range.kvs[0].value.toString(), 'w');
});

registryTest('kv_compaction', async (etcd, prefix) => {
  const key = `${prefix}k`;
  const first = await etcd.put(key).value('1').exec();
  const second = await etcd.put(key).value('2').exec();
  await etcd.kv.compact({ revision: second.header.revision, physical: true });
  await assert.rejects(etcd.get(key).revision(first.header.revision).exec(), /required revision has been compacted/);
  assert.strictEqual(await etcd.get(key).revision(second.header.revision).string(), '2');
});

// ---- watch ----

registryTest('watch', async (etcd, prefix) => {
  const watcher = await etcd.watch().prefix(prefix).withPreviousKV().create();
  const said = listen(watcher, 'put', 'delete');
  await etcd.put(`${prefix}a`).value('1');
  await etcd.put(`other/${prefix}`).value('x');
  await etcd.put(`${prefix}a`).value('2');
  assert.deepStrictEqual(await changes(said, 2), ['put a=1', 'put a=2']);
  await etcd.delete().key(`${prefix}a`);
  const [what, , previous] = await said.next();
  assert.deepStrictEqual([what, previous.value.toString()], ['delete', '2']);
});

registryTest('watch_only_deletions', async (etcd, prefix) => {
  const watcher = await etcd.watch().prefix(prefix).only('delete').create();
  const said = listen(watcher, 'put', 'delete');
  await etcd.put(`${prefix}a`).value('1');
  await etcd.delete().key(`${prefix}a`);
  assert.deepStrictEqual(await changes(said, 1), ['delete a=']);
});

registryTest('watch_from_old_revision', async (etcd, prefix) => {
  const first = await etcd.put(`${prefix}a`).value('1').exec();
  await etcd.put(`${prefix}b`).value('2');
  const watcher = etcd.watch().prefix(prefix).startRevision(first.header.revision).watcher();
  const said = listen(watcher, 'put', 'delete');
  assert.deepStrictEqual(await changes(said, 2), ['put a=1', 'put b=2']);
  await etcd.put(`${prefix}c`).value('3');
  assert.deepStrictEqual(await changes(said, 1), ['put c=3']);
  assert.ok(watcher.lastRevision() >= Number(first.header.revision) + 2);
});

registryTest('watch_of_compacted_revision', async (etcd, prefix) => {
  const first = await etcd.put(`${prefix}k`).value('1').exec();
  const second = await etcd.put(`${prefix}k`).value('2').exec();
  await etcd.kv.compact({ revision: second.header.revision });
  const watcher = etcd.watch().key(`${prefix}k`).startRevision(first.header.revision).watcher();
  const [what, error] = await listen(watcher).next();
  assert.deepStrictEqual([what, error instanceof Error], ['error', true]);
  const said = listen(etcd.watch().key(`${prefix}k`).startRevision(second.header.revision).watcher(), 'put');
  assert.deepStrictEqual(await changes(said, 1), ['put k=2']);
});

registryTest('watch_goes_on_after_compaction', async (etcd, prefix) => {
  const said = listen(await etcd.watch().prefix(prefix).create(), 'put');
  const put = await etcd.put(`${prefix}a`).value('1').exec();
  await etcd.kv.compact({ revision: put.header.revision });
  await etcd.put(`${prefix}b`).value('2');
  assert.deepStrictEqual(await changes(said, 2), ['put a=1', 'put b=2']);
});

// ---- leases ----

registryTest('lease_is_revoked', async (etcd, prefix) => {
  const lease = etcd.lease(60);
  await lease.put(`${prefix}k`).value('v');
  const answer = await lease.keepaliveOnce();
  assert.strictEqual(answer.TTL, '60');
  await lease.revoke();
  assert.strictEqual(await etcd.get(`${prefix}k`), null);
  assert.strictEqual(lease.revoked(), true);
});

registryTest('lease_expires', async (etcd, prefix) => {
  const said = listen(await etcd.watch().prefix(prefix).only('delete').create(), 'delete');
  const lease = etcd.lease(kShortTtlS, { autoKeepAlive: false });
  await lease.put(`${prefix}k`).value('v');
  assert.deepStrictEqual(await changes(said, 1), ['delete k=']);
  await assert.rejects(lease.keepaliveOnce(), etcd3.EtcdLeaseInvalidError);
});

registryTest('lease_is_kept_alive', async (etcd, prefix) => {
  const lease = etcd.lease(kShortTtlS);
  const kept = listen(lease, 'keepaliveSucceeded', 'lost');
  await lease.put(`${prefix}k`).value('v');
  const begin = Date.now();
  while (Date.now() - begin < 2000 * kShortTtlS) {
    const [what, answer] = await kept.next();
    assert.deepStrictEqual([what, answer.TTL], ['keepaliveSucceeded', String(kShortTtlS)]);
  }
  assert.strictEqual(await etcd.get(`${prefix}k`).string(), 'v');
  const said = listen(await etcd.watch().prefix(prefix).create(), 'delete');
  lease.release(); // no keepalive any more
  assert.deepStrictEqual(await changes(said, 1), ['delete k=']);
});

registryTest('lease_is_lost', async (etcd) => {
  const lease = etcd.lease(kShortTtlS);
  const said = listen(lease, 'lost');
  const id = await lease.grant();
  await etcd.leaseClient.leaseRevoke({ ID: id });
  const [what, error] = await said.next();
  assert.deepStrictEqual([what, error instanceof etcd3.EtcdLeaseInvalidError], ['lost', true]);
});

// ---- lock, election, STM ----

registryTest('lock', async (etcd, prefix) => {
  const held = await etcd.lock(`${prefix}m`).ttl(60).acquire();
  await assert.rejects(etcd.lock(`${prefix}m`).acquire(), etcd3.EtcdLockFailedError);
  await held.release();
  const value = await etcd.lock(`${prefix}m`).do(async () => {
    await assert.rejects(etcd.lock(`${prefix}m`).acquire(), etcd3.EtcdLockFailedError);
    return 'done';
  });
  assert.strictEqual(value, 'done');
});

registryTest('election', async (etcd, prefix, connect) => {
  const election = etcd.election(prefix, 60);
  const anna = election.campaign('anna');
  await anna.wait();
  assert.strictEqual(await election.leader(), 'anna');
  const observer = await election.observe();
  assert.strictEqual(observer.leader(), 'anna');
  const seen = listen(observer, 'change');
  await anna.proclaim('anna the first');
  assert.deepStrictEqual(await seen.next(), ['change', 'anna the first']);

  const bert = connect().election(prefix, 60).campaign('bert');
  const elected = bert.wait();
  await new Promise((resolve) => bert.once('_isWaiting', resolve));
  assert.strictEqual(await election.leader(), 'anna the first');
  await anna.resign();
  await elected;
  for (let leader = ''; leader !== 'bert'; ) leader = (await seen.next())[1];
  assert.strictEqual(await election.leader(), 'bert');
  await observer.cancel();
  await bert.resign();
  assert.strictEqual(await election.leader(), undefined);
});

// Isolation's numbers, to which etcd3 gives names for TypeScript alone.
const kSerializableSnapshot = 0;

// One key: etcd3 holds the keys that are written against the oldest revision of a value that was read, not against the
// revision of the reading, so that two keys of different age are a conflict for good.
registryTest('stm_serializable_snapshot', async (etcd, prefix) => {
  const key = `${prefix}k`;
  await etcd.put(key).value(0);
  const count = async () => {
    for (let i = 0; i < 5; ++i) {
      await etcd.stm({ isolation: kSerializableSnapshot, retries: 1000 }).transact(async (tx) => {
        const value = await tx.get(key).number();
        await tx.put(key).value(value + 1);
      });
    }
  };
  await Promise.all([count(), count(), count(), count()]);
  assert.strictEqual(await etcd.get(key).number(), 20);
});

for (const [name, isolation] of Object.entries({ serializable: 1, repeatable_reads: 2 })) {
  registryTest(`stm_${name}`, async (etcd, prefix) => {
    const account = (i) => `${prefix}${i % 3}`;
    for (let i = 0; i < 3; ++i) await etcd.put(account(i)).value(10);
    const move = (from) =>
      etcd.stm({ isolation, retries: 1000 }).transact(async (tx) => {
        const has = await tx.get(account(from)).number();
        const gets = await tx.get(account(from + 1)).number();
        await tx.put(account(from)).value(has - 1);
        await tx.put(account(from + 1)).value(gets + 1);
      });
    const mover = async (from) => {
      for (let i = 0; i < 5; ++i) await move(from);
    };
    await Promise.all([mover(0), mover(1), mover(1), mover(2)]);
    assert.deepStrictEqual(await etcd.namespace(prefix).getAll().numbers(), { 0: 10, 1: 5, 2: 15 });
  });
}

registryTest('stm_gives_up', async (etcd, prefix) => {
  const key = `${prefix}k`;
  await etcd.put(key).value('1');
  const transaction = etcd.stm({ retries: 0 }).transact(async (tx) => {
    await tx.get(key);
    await etcd.put(key).value('somebody else');
    await tx.put(key).value('mine');
  });
  await assert.rejects(transaction, etcd3.STMConflictError);
  assert.strictEqual(await etcd.get(key).string(), 'somebody else');
});

// ---- auth ----

registryTest('auth', async (etcd, prefix, connect) => {
  const root = etcd.role('root');
  const shop = etcd.role('shop');
  await root.create();
  await shop.create();
  await assert.rejects(shop.create(), etcd3.EtcdRoleExistsError);
  await shop.grant({ permission: 'Readwrite', range: etcd3.Range.prefix(prefix) });
  const [permission] = await shop.permissions();
  assert.strictEqual(permission.permission, 'Readwrite');
  for (const [name, role] of [['root', root], ['alice', shop]]) {
    const user = etcd.user(name);
    await user.create(`${name}secret`);
    await user.addRole(role);
  }
  await assert.rejects(etcd.user('alice').create('x'), etcd3.EtcdUserExistsError);
  assert.deepStrictEqual(
    (await etcd.user('alice').roles()).map((role) => role.name),
    ['shop']
  );
  await etcd.auth.authEnable();
  const signedIn = (username, password) => connect({ auth: { username, password } });
  const administrator = signedIn('root', 'rootsecret');
  try {
    await assert.rejects(etcd.put(`${prefix}k`).value('v').exec(), /user name is empty/);
    await assert.rejects(
      signedIn('alice', 'wrong').get(`${prefix}k`).exec(),
      etcd3.EtcdAuthenticationFailedError
    );
    const alice = signedIn('alice', 'alicesecret');
    const said = listen(await alice.watch().prefix(prefix).create(), 'put');
    await alice.put(`${prefix}k`).value('v');
    assert.strictEqual(await alice.get(`${prefix}k`).string(), 'v');
    await administrator.put(`${prefix}l`).value('w');
    assert.deepStrictEqual(await changes(said, 2), ['put k=v', 'put l=w']);
    await assert.rejects(alice.put('other').value('v').exec(), etcd3.EtcdPermissionDeniedError);
    await assert.rejects(alice.getAll().exec(), etcd3.EtcdPermissionDeniedError);
    await assert.rejects(alice.user('eve').create('x'), etcd3.EtcdPermissionDeniedError);
    await administrator.user('alice').setPassword('better');
    assert.strictEqual(await signedIn('alice', 'better').get(`${prefix}k`).string(), 'v');
  } finally {
    await administrator.auth.authDisable();
  }
  await etcd.user('alice').delete();
  await etcd.user('root').delete();
  await shop.delete();
  await root.delete();
  assert.deepStrictEqual([await etcd.getUsers(), await etcd.getRoles()], [[], []]);
});
