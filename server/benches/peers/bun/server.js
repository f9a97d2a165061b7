// The same chat as Taproom's, without keeping anything: what a message costs where it only passes through.
//
// Frames have Taproom's fields, of the same lengths. What is said is published by Bun itself (`server.publish`,
// uWebSockets underneath) to everybody in the room, its author too.

const heads = new Map();
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const letters = (count) => Array.from({ length: count }, () => crockford[Math.floor(Math.random() * 32)]).join("");

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  fetch(request, server) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/ws") return new Response("Taproom's peer");
    const room = searchParams.get("room") || "default";
    const name = searchParams.get("name") || `guest-${letters(4).toLowerCase()}`;
    if (server.upgrade(request, { data: { id: letters(26), room, name } })) return;
    return new Response("Upgrade to a WebSocket", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    // Nothing is dropped, and no timer runs: both would be in the way of the load.
    backpressureLimit: 0,
    idleTimeout: 0,
    sendPings: false,
    open(socket) {
      const { id, room, name } = socket.data;
      socket.subscribe(room);
      const Time = new Date().toISOString();
      socket.send(JSON.stringify({ Type: "Status", WSID: id, Name: name, Room: room, Head: heads.get(room) ?? 0, Time }));
    },
    message(socket, text) {
      const { id, room, name } = socket.data;
      const { Message, Id } = JSON.parse(text);
      const Seq = (heads.get(room) ?? 0) + 1;
      heads.set(room, Seq);
      const Sent = new Date().toISOString();
      const event = { Type: "Chat", Room: room, WSID: id, Author: name, Message, Sent, Seq, Id };
      server.publish(room, JSON.stringify(event));
      socket.send(JSON.stringify({ Type: "Ack", Room: room, Id, Seq, Sent }));
    },
  },
});
console.log(`Bun is ready: ${server.url.origin}`);
