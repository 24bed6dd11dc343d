// The relay of npm's "osc" between one UDP port and every browser: node osc_relay.js HTTP_PORT OSC_IN OSC_OUT
const osc = require("osc");
const WebSocket = require("ws");

const [httpPort, oscIn, oscOut] = process.argv.slice(2).map(Number);
const udp = new osc.UDPPort({
    localAddress: "127.0.0.1", localPort: oscIn, remoteAddress: "127.0.0.1", remotePort: oscOut,
});
// A relay listens three times on the UDP port: without this node warns from the fourth browser on.
udp.setMaxListeners(0);
udp.on("error", () => {});
udp.on("ready", () => {
    const server = new WebSocket.Server({ host: "127.0.0.1", port: httpPort, perMessageDeflate: false });
    server.on("connection", (socket) => {
        const browser = new osc.WebSocketPort({ socket });
        browser.on("error", () => {});
        // eslint-disable-next-line no-new
        new osc.Relay(udp, browser, { raw: true });
    });
});
udp.open();
