// A client of the reference endpoint on Node's `ws`: joins, sends, and prints every frame it gets, one a line.
// Ends when a frame with "bye" in it comes.
import WebSocket from "ws";

const [url, token, room] = process.argv.slice(2);
const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
const send = (action, requestId, more) =>
  socket.send(JSON.stringify({ version: "1.0", action, requestId, roomId: room, timestamp: Date.now(), ...more }));
socket.on("open", () => {
  send("joinRoom", "join");
  send("sendMessage", "say", { payload: { text: "from ws" } });
});
socket.on("message", (data) => {
  console.log(data.toString());
  if (data.toString().includes("bye")) socket.close();
});
socket.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
