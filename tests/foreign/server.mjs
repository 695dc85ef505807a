// A small chat server on another stack (Node and npm's `ws`), for Squall to judge: nothing of it is ours but the wish
// that it behaves. Field names and codes differ from the reference endpoint's on purpose.
//
//   client: enter|exit {channel, ref}   say {channel, ref, body}   hey {ref}
//   server: ok {ref}   said {channel, ref, from, body} to the others in the channel   ho {ref}   err {ref?, code, why}
//
// GET /clients lists who the server believes is connected. The first line on stdout is the WebSocket url.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { WebSocket, WebSocketServer } from "ws";

const PING_EVERY_MS = 1000;
const DEAD_AFTER_MS = 2000;
const MAX_FRAME_BYTES = 128 * 1024;
const NOT_JSON = 4000;
const NOT_AN_OBJECT = 4001;
const UNKNOWN_TYPE = 4002;
const BAD_FIELD = 4003;
const NOT_IN_CHANNEL = 4004;

const LIMITS = { channel: 64, ref: 128, body: 100_000 };
const FIELDS = {
  enter: ["type", "channel", "ref"],
  exit: ["type", "channel", "ref"],
  say: ["type", "channel", "ref", "body"],
  hey: ["type", "ref"],
};

const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const clients = new Map(); // socket -> { name, channels, heardAt }
const channels = new Map(); // channel -> Set of sockets

const web = createServer((request, response) => {
  if (request.method !== "GET" || request.url !== "/clients") {
    response.writeHead(404).end();
    return;
  }
  const listed = [...clients.values()].map(({ name, channels }) => ({ name, channels: [...channels] }));
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ clients: listed }));
});
const sockets = new WebSocketServer({ server: web, path: "/chat", maxPayload: MAX_FRAME_BYTES });

sockets.on("connection", (socket, request) => {
  const name = new URL(request.url, "http://here").searchParams.get("name") ?? "";
  clients.set(socket, { name, channels: new Set(), heardAt: performance.now() });
  socket.on("message", (data, isBinary) => {
    heard(socket);
    answer(socket, isBinary ? undefined : data.toString());
  });
  socket.on("pong", () => heard(socket));
  socket.on("error", () => {}); // `close` follows and tells all that matters here
  socket.on("close", () => forget(socket));
});

const beat = setInterval(() => {
  const now = performance.now();
  for (const [socket, client] of clients) {
    if (now - client.heardAt > DEAD_AFTER_MS) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }
}, PING_EVERY_MS);

function heard(socket) {
  const client = clients.get(socket);
  if (client) client.heardAt = performance.now();
}

function forget(socket) {
  for (const channel of clients.get(socket)?.channels ?? []) exit(socket, channel);
  clients.delete(socket);
}

function exit(socket, channel) {
  const members = channels.get(channel);
  members?.delete(socket);
  if (members?.size === 0) channels.delete(channel);
  clients.get(socket)?.channels.delete(channel);
}

function send(socket, frame) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

function refuse(socket, ref, code, why) {
  send(socket, { type: "err", ref, code, why }); // an undefined ref is left out
}

function answer(socket, text) {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    refuse(socket, /"ref"\s*:\s*"([^"\\]{1,128})"/.exec(text ?? "")?.[1], NOT_JSON, "not JSON");
    return;
  }
  if (frame === null || typeof frame !== "object" || Array.isArray(frame)) {
    refuse(socket, undefined, NOT_AN_OBJECT, "not an object");
    return;
  }
  const ref = typeof frame.ref === "string" ? frame.ref : undefined;
  if (!Object.hasOwn(FIELDS, frame.type)) {
    refuse(socket, ref, UNKNOWN_TYPE, "unknown type");
    return;
  }
  const wrong = wrongField(frame);
  if (wrong) {
    refuse(socket, ref, BAD_FIELD, wrong);
    return;
  }
  act(socket, frame);
}

function wrongField(frame) {
  const wanted = FIELDS[frame.type];
  for (const name of Object.keys(frame)) if (!wanted.includes(name)) return `unknown field ${name.slice(0, 40)}`;
  for (const name of wanted) {
    const value = frame[name];
    if (typeof value !== "string" || value === "") return `${name} must be text`;
    // A limit counts characters, as JSON Schema does; UTF-16 units are never fewer.
    if (value.length > LIMITS[name] && [...value].length > LIMITS[name]) return `${name} is too long`;
  }
  return undefined;
}

function act(socket, { type, channel, ref, body }) {
  const client = clients.get(socket);
  if (type === "hey") {
    send(socket, { type: "ho", ref });
    return;
  }
  if (type === "enter") {
    client.channels.add(channel);
    if (!channels.has(channel)) channels.set(channel, new Set());
    channels.get(channel).add(socket);
  } else if (!client.channels.has(channel)) {
    refuse(socket, ref, NOT_IN_CHANNEL, "not in that channel");
    return;
  } else if (type === "exit") {
    exit(socket, channel);
  } else {
    const said = { type: "said", channel, ref, from: client.name, body };
    for (const other of channels.get(channel)) if (other !== socket) send(other, said);
  }
  send(socket, { type: "ok", ref });
}

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    clearInterval(beat);
    for (const socket of clients.keys()) socket.terminate();
    sockets.close();
    web.close();
    web.closeAllConnections();
  });
}

web.listen(Number(options.port), "127.0.0.1", () => {
  process.stdout.write(`ws://127.0.0.1:${web.address().port}/chat\n`);
});
