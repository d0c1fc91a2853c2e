/** From settings to what a node is made of. Used by the service and by commands that join the mesh themselves. */

import type { Settings } from '../src/config/settings.ts';
import type { NodeOptions } from '../src/mesh/node-options.ts';

export function nodeOptions(settings: Settings): Omit<NodeOptions, 'layout'> {
  return {
    dataFolder: settings.data,
    listen: settings.p2pListen,
    bootstrap: settings.bootstrap,
    announceFile: settings.announceFile,
    mdns: settings.mdns,
    ...(settings.dht === undefined ? {} : { dht: settings.dht }),
    relay: settings.relay,
    relays: settings.relays,
    announce: settings.p2pAnnounce,
    ...(settings.meshKey === undefined ? {} : { meshKeyFile: settings.meshKey }),
    admit: settings.admit,
    ...(settings.tools === undefined ? {} : { toolsModule: settings.tools }),
    ...pythonOptions(settings),
  };
}

/** Nothing at all where neither a listener for Python nodes nor one of them is named. */
function pythonOptions(settings: Settings): Pick<NodeOptions, 'python'> {
  const { pythonListen: listen, pythonPeers: peers, pythonTokenFile: tokenFile } = settings;
  if (listen.length === 0 && peers.length === 0) return {};
  return {
    python: {
      listen,
      peers,
      ...(tokenFile === undefined ? {} : { tokenFile }),
      legacy: settings.pythonLegacy,
      leaseSeconds: settings.pythonLeaseS,
      grant: settings.pythonGrant,
    },
  };
}
