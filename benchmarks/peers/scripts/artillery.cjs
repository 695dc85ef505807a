// Artillery's processor: what one virtual user does with its open connection. The engine's own `send` with `match` would
// take the next frame for the answer; matching by id needs a function.
const env = process.env;
const rate = env.BENCH_RATE;
const everyMs = rate === 'max' || rate === '0' ? 0 : 1000 / Number(rate);
const closedLoop = rate === 'max';
const begun = performance.now();
const overMs = (Number(env.BENCH_RAMP_S) + Number(env.BENCH_LOAD_S) + 1) * 1000;
let users = 0;

module.exports = { session };

function session(context, events, done) {
  const ws = context.ws;
  const prefix = `s${users++}-`;
  const sent = new Map();
  let seq = 0;
  let timer = null;

  function say() {
    const id = prefix + seq++;
    sent.set(id, performance.now());
    ws.send(JSON.stringify({ id, room: 'room', text: env.BENCH_TEXT }));
  }

  ws.on('message', (data) => {
    const id = JSON.parse(data).id;
    const at = sent.get(id);
    if (at !== undefined) {
      sent.delete(id);
      events.emit('histogram', 'round_trip', performance.now() - at);
      if (closedLoop && performance.now() - begun < overMs) say();
    }
  });
  if (closedLoop) {
    say();
  } else if (everyMs) {
    setTimeout(() => {
      say();
      timer = setInterval(say, everyMs);
    }, Math.random() * everyMs);
  }
  setTimeout(() => {
    if (timer) clearInterval(timer);
    done();
  }, Math.max(0, overMs - (performance.now() - begun)));
}
