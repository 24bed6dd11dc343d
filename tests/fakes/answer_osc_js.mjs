// npm `osc` over TCP with SLIP: hears /cutoff, answers with half of it.
// Arguments: "listen" or "connect", and the port. Who connects asks for all values.
import net from "node:net";
import osc from "osc";

const [how, port] = process.argv.slice(2);

function answer(connection) {
    connection.on("message", ({ address, args }) => {
        if (address === "/cutoff") connection.send({ address: "/answer/cutoff", args: [args[0] * 0.5] });
    });
    connection.on("error", () => {});
}

if (how === "listen") {
    net.createServer((socket) => answer(new osc.TCPSocketPort({ socket }))).listen(Number(port), "127.0.0.1");
} else {
    const connection = new osc.TCPSocketPort({ address: "127.0.0.1", port: Number(port) });
    answer(connection);
    connection.on("ready", () => connection.send({ address: "/stagebridge/refresh", args: [] }));
    connection.open();
}
