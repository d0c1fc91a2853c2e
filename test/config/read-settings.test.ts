import * as assert from 'uvu/assert';
import { readSettings, type SettingsSources } from '../../src/config/read-settings.ts';
import { settingEntry, settingNames, variableOf } from '../../src/config/settings.ts';
import { MeshError } from '../../src/mesh/errors.ts';
import { suite } from '../tooling/suite.ts';

type Partly = Partial<Omit<SettingsSources, 'readFile'>> & { files?: Record<string, string> };

function read({ files = {}, ...sources }: Partly = {}): ReturnType<typeof readSettings> {
  return readSettings({
    flags: {},
    env: {},
    folder: '/work-folder',
    home: '/home/me',
    defaults: { layout: 'worker' },
    purpose: 'node',
    readFile: (path) => files[path],
    ...sources,
  });
}

/** The `invalid_config` that reading ends with. */
function refusal(sources: Partly): MeshError {
  try {
    read(sources);
  } catch (thrown) {
    assert.instance(thrown, MeshError);
    assert.is((thrown as MeshError).code, 'invalid_config');
    return thrown as MeshError;
  }
  throw new Error('the settings were accepted');
}

const precedence = suite('where a setting comes from');

precedence('a flag goes before a variable, that before the config file, and that before the default', () => {
  const files = { '/home/me/.taskmesh/config.json': '{"port": 4}' };
  assert.is(read().port, 7330);
  assert.is(read({ files }).port, 4);
  assert.is(read({ files, env: { TASKMESH_PORT: '3' } }).port, 3);
  assert.is(read({ files, env: { TASKMESH_PORT: '3' }, flags: { port: '2' } }).port, 2);
});

precedence('an empty variable counts as not set', () => {
  assert.is(read({ env: { TASKMESH_PORT: '' } }).port, 7330);
});

precedence('every setting is taken under its one name from flag, variable and config file alike', () => {
  const file = '/my.json';
  for (const name of settingNames) {
    if (name === 'config') continue;
    const { example } = settingEntry(name);
    const value = example.includes('…') ? example.replace('12D3KooW…', somePeer) : example;
    const files = { '/home/me/.taskmesh/mesh.key': 'key', '/srv/taskmesh/mesh.key': 'key' };
    const common = { files, defaults: { layout: 'inline' as const } };
    const byFlag = read({ ...common, flags: { [name]: value } });
    assert.equal(read({ ...common, env: { [variableOf(name)]: value } }), byFlag, name);
    const byFile = read({
      ...common,
      files: { ...files, [file]: JSON.stringify({ [name]: value }) },
      flags: { config: file },
      folder: '/',
    });
    assert.equal({ ...byFile, config: undefined }, read({ ...common, flags: { [name]: value }, folder: '/' }), name);
    assert.not.equal(byFlag, read(common), `the example of ${name} must differ from its default`);
  }
});

precedence('the runtime’s own default layout is used when none is named', () => {
  assert.is(read({ defaults: { layout: 'inline' } }).layout, 'inline');
  assert.is(read({ defaults: { layout: 'inline' }, flags: { layout: 'worker' } }).layout, 'worker');
});

precedence('relative paths start at the working folder, those of a config file at its own folder', () => {
  assert.is(read({ flags: { data: 'd' } }).data, '/work-folder/d');
  assert.is(read({ flags: { data: '~/d' } }).data, '/home/me/d');
  assert.is(read({ flags: { config: '/etc/tm.json' }, files: { '/etc/tm.json': '{"data":"d"}' } }).data, '/etc/d');
});

precedence('what lies in the data folder follows it', () => {
  const settings = read({ flags: { data: '/d' }, files: { '/d/mesh.key': 'key' } });
  assert.is(settings.announceFile, '/d/announce.json');
  assert.is(settings.meshKey, '/d/mesh.key');
});

precedence('a list is a repeated flag, one text with commas, or an array', () => {
  const both = ['a.local', 'b.local'];
  assert.equal(read({ flags: { 'allowed-hosts': both } }).allowedHosts, both);
  assert.equal(read({ flags: { 'allowed-hosts': ['a.local, b.local'] } }).allowedHosts, both);
  assert.equal(read({ env: { TASKMESH_ALLOWED_HOSTS: 'a.local,b.local' } }).allowedHosts, both);
  const files = { '/home/me/.taskmesh/config.json': '{"allowed-hosts":["a.local","b.local"]}' };
  assert.equal(read({ files }).allowedHosts, both);
});

precedence('bootstrap takes multiaddrs and paths, and makes paths absolute', () => {
  const address = `/ip4/127.0.0.1/tcp/1/p2p/${somePeer}`;
  assert.equal(read({ flags: { bootstrap: [address, 'a.json', '/x/b.json'] } }).bootstrap, [
    address,
    '/work-folder/a.json',
    '/x/b.json',
  ]);
});

precedence('a switch reads the usual words', () => {
  for (const word of ['off', 'false', '0', 'no']) assert.is(read({ env: { TASKMESH_MDNS: word } }).mdns, false);
  assert.is(read({ flags: { mdns: false } }).mdns, false);
  assert.is(read({ env: { TASKMESH_MDNS: 'ON' } }).mdns, true);
});

precedence('the URL to ask follows the port, and loopback stands for every address', () => {
  assert.is(read({ flags: { port: '7331' } }).url, 'http://127.0.0.1:7331/mcp');
  assert.is(read({ flags: { host: '0.0.0.0' }, purpose: 'client' }).url, 'http://127.0.0.1:7330/mcp');
  assert.is(read({ flags: { host: '[::1]' } }).url, 'http://[::1]:7330/mcp');
});

const somePeer = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5';

const refusals = suite('settings that are refused');

refusals('the message names setting, value, source and what is allowed', () => {
  const byVariable = refusal({ env: { TASKMESH_PORT: '99999' } });
  assert.match(byVariable.message, '"port" cannot be "99999" (from TASKMESH_PORT)');
  assert.match(byVariable.message, '0 to 65535');
  assert.match(refusal({ flags: { layout: 'both' } }).message, /"both" \(from --layout\).*inline, worker/);
  const files = { '/home/me/.taskmesh/config.json': '{"mdns":"maybe"}' };
  assert.match(refusal({ files }).message, '(from /home/me/.taskmesh/config.json)');
});

refusals('each kind refuses what does not fit it', () => {
  const bad: Record<string, string> = {
    port: '80.5',
    host: 'http://x',
    'p2p-listen': '/ip4/300.0.0.1/tcp/1',
    bootstrap: '/ip4/127.0.0.1/tcp/1',
    mdns: 'perhaps',
    'log-level': 'loud',
    url: 'ftp://x',
    'allowed-hosts': 'a b',
    data: '',
  };
  for (const [name, value] of Object.entries(bad)) {
    assert.match(refusal({ flags: { [name]: value } }).message, `"${name}" cannot be`);
  }
});

refusals('an unknown key in the config file is named, with the nearest one', () => {
  const files = { '/home/me/.taskmesh/config.json': '{"prot": 1}' };
  assert.match(refusal({ files }).message, /"prot".*Did you mean port\?/);
});

refusals('a config file that is missing, is no JSON or is no object is refused', () => {
  assert.match(refusal({ flags: { config: 'no.json' } }).message, 'There is no config file at /work-folder/no.json');
  assert.match(refusal({ flags: { config: '/c' }, files: { '/c': '{' } }).message, 'is not JSON');
  assert.match(refusal({ flags: { config: '/c' }, files: { '/c': '[1]' } }).message, 'must hold a JSON object');
});

refusals('a mesh key that is not there is refused', () => {
  assert.match(refusal({ flags: { 'mesh-key': '/no.key' } }).message, 'There is no mesh key at /no.key');
});

refusals('listening beyond loopback without a mesh key is refused, and says what to run', () => {
  const open = refusal({ flags: { host: '0.0.0.0', 'p2p-listen': ['/ip4/0.0.0.0/tcp/1', '/ip4/127.0.0.1/tcp/2'] } });
  assert.match(open.message, '--host 0.0.0.0 and --p2p-listen /ip4/0.0.0.0/tcp/1 would');
  assert.match(open.message, 'taskmesh init');
  assert.match(refusal({ flags: { 'p2p-listen': '/ip6/::/tcp/1' } }).message, 'taskmesh init');
});

refusals('a mesh key opens the door, and a client needs none', () => {
  const flags = { host: '0.0.0.0', 'p2p-listen': '/ip4/0.0.0.0/tcp/1' };
  assert.is(read({ flags, files: { '/home/me/.taskmesh/mesh.key': 'key' } }).host, '0.0.0.0');
  assert.is(read({ flags, purpose: 'client' }).host, '0.0.0.0');
});

precedence.run();
refusals.run();

const service = suite('settings of the P2P service');

service('by default it listens on a socket in the data folder', () => {
  assert.equal(read({ flags: { data: '/d' } }).rpcListen, ['unix:/d/p2p.sock']);
});

service('sockets have absolute paths, HTTP is loopback', () => {
  const flags = { 'rpc-listen': ['unix:s.sock,unix:~/x.sock', 'http://localhost:7332/', 'http://[::1]:1'] };
  assert.equal(read({ flags }).rpcListen, [
    'unix:/work-folder/s.sock',
    'unix:/home/me/x.sock',
    'http://127.0.0.1:7332',
    'http://[::1]:1',
  ]);
  for (const address of [
    'http://0.0.0.0:1',
    'http://127.0.0.1',
    '/s',
    'unix:',
    `unix:/${'x'.repeat(110)}`,
    'http://127.0.0.1:70000',
  ])
    assert.match(refusal({ flags: { 'rpc-listen': address } }).message, 'at most 103 bytes');
});

service('whoever names a service means the layout process, and no other', () => {
  const flags = { 'p2p-service': 'unix:/run/p2p.sock' };
  assert.equal([read({ flags }).layout, read({ flags }).p2pTokenFile], ['process', undefined]);
  assert.match(refusal({ flags: { ...flags, layout: 'worker' } }).message, '--p2p-service');
});

service('HTTP takes the token in the data folder, unless another is named', () => {
  const flags = { data: '/d', 'p2p-service': 'http://127.0.0.1:7332' };
  assert.is(read({ flags }).p2pTokenFile, '/d/p2p.token');
  assert.is(read({ flags: { ...flags, 'p2p-token-file': '/t' } }).p2pTokenFile, '/t');
});

service.run();
