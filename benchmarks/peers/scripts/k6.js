// k6: the work of one benchmark case; many sessions to a VU (its cheapest way: a VU each costs three times the memory).
// k6's clock for scripts has whole milliseconds.
import { WebSocket } from 'k6/experimental/websockets';
import { Trend } from 'k6/metrics';

const env = __ENV;
const sessions = Number(env.BENCH_SESSIONS);
const perVu = Math.min(sessions, Number(env.BENCH_PER_VU));
const rampMs = Number(env.BENCH_RAMP_S) * 1000;
const everyMs = env.BENCH_RATE === 'max' || env.BENCH_RATE === '0' ? 0 : 1000 / Number(env.BENCH_RATE);
const closedLoop = env.BENCH_RATE === 'max';
const totalMs = rampMs + Number(env.BENCH_LOAD_S) * 1000 + 1000;
const roundTrip = new Trend('round_trip', true);

export const options = {
  scenarios: {
    all: { executor: 'per-vu-iterations', vus: sessions / perVu, iterations: 1, maxDuration: '20m', gracefulStop: '1s' },
  },
  summaryTrendStats: ['p(50)', 'p(99)', 'max', 'count'],
};

export default function () {
  const first = (__VU - 1) * perVu;
  for (let k = 0; k < perVu; k++) {
    const number = first + k;
    setTimeout(() => session(number), rampMs * number / sessions);
  }
}

function session(number) {
  const socket = new WebSocket(env.BENCH_URL);
  const sent = {};
  const prefix = 's' + number + '-';
  let seq = 0;
  let timer = null;
  const over = Date.now() + totalMs - rampMs * number / sessions;

  function say() {
    const id = prefix + seq++;
    sent[id] = Date.now();
    socket.send(JSON.stringify({ id: id, room: 'room', text: env.BENCH_TEXT }));
  }

  socket.onopen = () => {
    if (closedLoop) {
      say();
    } else if (everyMs) {
      setTimeout(() => {
        say();
        timer = setInterval(say, everyMs);
      }, Math.random() * everyMs);
    }
    setTimeout(() => {
      if (timer !== null) clearInterval(timer);
      socket.close();
    }, over - Date.now());
  };
  socket.onmessage = (event) => {
    const id = JSON.parse(event.data).id;
    if (id in sent) {
      roundTrip.add(Date.now() - sent[id]);
      delete sent[id];
      if (closedLoop && Date.now() < over) say();
    }
  };
}

export function handleSummary(data) {
  const found = data.metrics.round_trip ? data.metrics.round_trip.values : {};
  return { [env.BENCH_OUT]: JSON.stringify({ p50_ms: found['p(50)'], p99_ms: found['p(99)'], count: found.count }) };
}
