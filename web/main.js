// "/": one client, one surface.

import { Client, socketUrl } from './lib/client.js';
import { wayIn } from './lib/pairing.js';
import { Surface } from './surface.js';
import { deviceName } from './surface/device.js';

const client = new Client({ url: socketUrl(import.meta.url), name: deviceName() });
new Surface(document.getElementById('surface'), client);
client.addEventListener('shut-out', ({ detail }) => window.location.replace(wayIn(window.location, detail.code)));
client.connect();
