"""The sentences of a report in one place, for editing: reasons, notes, and the lines that terminal and page share.

The sentences of findings are with the findings (`findings/`), the labels of figures in `figures.py`, and what only the
page says is in `page/*.jinja`. A name in braces is filled in; what follows a colon is its format.
"""

# Why a run is unfit.
KILLED = "the run was killed before it was sealed"
FAILED = "the run failed: {reason}"
NOTHING_TRIED = "the generator never tried to open a session"
STALLED = "the generator stood still for {stood_s:.1f} s: what arrived meanwhile may have been taken for absent"
NEVER_OPENED = (
    "{count} sessions were never opened because the generator fell behind; give it more CPU, processes or time"
)
NEVER_LOGGED_IN = (
    "{count} sessions were never opened because their login was not finished when they had to end; give the ramp more "
    "time, or raise at_once in [endpoint.auth]"
)
NO_ROWS = "process {process} left no rows: what its sessions did is unknown"
FELL_SILENT = "process {process} fell silent {early_s:.0f} s before the end of the load"
SENT_LATE = "the generator sent late: send delay p99 was {value:.1f} ms (limit {limit:g} ms{when}); {advice}"
READ_LATE = "the generator read late: read delay p99 was {value:.1f} ms (limit {limit:g} ms{when}); {advice}"
GIVE_MORE = "give it more CPU or processes"
BYTES_WAITED = "up to {count} bytes waited for the endpoint to accept them"
CPU = "the generator's CPU was at {value:.0%} of a core (p95, limit {limit:.0%}{when}); use --processes"
SENT_LESS = "the generator sent less than planned: {missed} of {planned} messages were due and never sent"
CLOCK_STEPPED = "the wall clock stepped by {step_ms:.1f} ms: arrival stamps cannot be trusted"
UNSTAMPED = "kernel stamps are missing: {share:.1%} of the arrivals have none"
BOUNDED = (
    "{share:.1%} of the arrivals are upper bounds only (limit {limit:.0%} at a read delay of {late_ms:.0f} ms, p99); "
    "use more processes"
)
EXHAUSTED = "local resource exhaustion: {count} operations failed with {name} ({what}){advice}"
EXHAUSTED_ADVICE = {
    "EMFILE": "; raise the limit (ulimit -Hn), or use --processes",
    "ENFILE": "; raise fs.file-max",
    "EADDRNOTAVAIL": "; give endpoint.source_addresses",
}
LEAKED = "the generator leaked file descriptors: {grown} more with the same number of sessions"
OF_PROCESS = "process {process}: {reason}"

# Why a verdict is not pass.
INTERRUPTED = "the run was interrupted after {ran_s:.1f} s of load"
PLAN_EDITED = "the plan in run.json was edited after the run: it does not fit its digest"
NOTHING_OPENED = "no session opened{refusal}"
NOTHING_JUDGED = "nothing was judged: no request was answered and no message was delivered"
NOTHING_PUBLISHED = "no message was sent, and the plan does not say that none should be"
CLAUSE_BROKEN = "{figure} is {value}, the limit is {limit}"
ABSENT = "absent"
CLAUSE_UNFIT = "the generator was unfit"
CLAUSE_CUT_SHORT = "the run was cut short"
CLAUSE_OUR_DELAY = "the generator's own {what} (p99 {ms:.1f} ms) is more than a fifth of the limit ({limit:g} ms)"
SEND_DELAY = "send delay"
READ_DELAY = "read delay"
LOOKED_AT = "of {count:,} {of}"

# What to know of a run although it is fit.
CUT_SHORT = "the run was interrupted: its figures cover {ran_s:.1f} s of load where {planned_s:g} s were planned"
SENT_LATE_IN = "the generator sent late in {when} (send delay p99 over {limit:g} ms)"
READ_LATE_IN = "the generator read late in {when} (read delay p99 over {limit:g} ms)"
BUSY_IN = "the generator's CPU was over {limit:.0%} of a core in {when}"

# Lines that terminal and page share.
NONE_OF = "{names}: 0 of {count:,} {of}"
NONE_REFUSED = "0 of {sent:,} refused (0.0%)"
CLOSED_LOOP = (
    "closed loop: each message waited for the answer to the one before, so a slow endpoint reduced its own load; "
    "response is not free of coordinated omission"
)
NOT_LISTED = (
    "{count} dropped clients poll: without a lasting connection they are in no list, and nothing can be detected"
)
NOT_OBSERVED = "not observed: the plan has no [observe] url"
ROOMS_OF_ITS_OWN = (
    "deliveries name rooms that are not in the plan{example}, so whether they name the right one is not judged; see "
    "load.room_name"
)
ROOMS_EXAMPLE = ' (first: "{text}")'
NO_ROOM_AT_PATH = (
    'no delivery has a room at endpoint.json.delivery.room = "{path}", so whether it is the right one is not judged'
)
UNSENT_LINE = "{what} planned and never sent: the session had no connection at that time, or too little time was left"
UNSENT_BURSTS = "{count} messages of bursts"
UNSENT_MALFORMED = "{count} malformed payloads"
SCOPES = {"connection": "each connection", "session": "each session", "endpoint": "all sessions together"}
NOT_MEASURED = "not measured: nothing was throttled or over the promised limit"
NO_BUCKET = (
    "no token bucket explains what was accepted and refused; see throttle_scope, or the limit is of another kind"
)
STRAY = "{count} unrecognised frames{example}"
STRAY_EXAMPLE = "; first: {text}"
MISFITS = {
    "answers_to_others": "{count} answers named another session's request",
    "answers_again": "{count} answers came to requests that had been answered before",
    "errors_by_protocol": "{count} errors did not say which of several open requests they answer",
}
GROWS = (
    "{whose} {what}: {verdict}, {first:g} to {last:g}{unit}, {per_h:+.3g} per hour (95 %: {low:+.3g} to {high:+.3g}), "
    "over {judged_s:.0f} s"
)
STORM = "at {at_s:g} s {dropped} dropped ({fault}): {back} back{spread}"
STORM_SPREAD = "{what} after {after_s:.2f} s"
RECOVERED = "{lost} connections lost: {parts}; {missed} messages missed meanwhile"
JOINED_AGAIN = "{count} joined again"
GAVE_UP = "{count} gave up ({why})"
STILL_AWAY = "{count} still away when the load or their stay ended"

REPLAYED = "{count} deliveries were sent before their receiver had joined; they are in no latency figure"
IMPERSONATED = "for example message {example.sender}-{example.seq} at session {example.receiver}"
ORDER_EXAMPLE = (
    "for example in room {example.room}: message {example.first.sender}-{example.first.seq} before "
    "{example.second.sender}-{example.second.seq} at session {example.here.session}, after it at session "
    "{example.there.session}"
)

# Why a finding is not judged.
NOTHING_TO_LOOK_AT = "there were no {of}"
NOTHING_OWED = "no deliveries were owed"
UNRECOGNISED_DELIVERIES = "{count} deliveries that did not arrive may have come in frames that were not recognised"
UNRECOGNISED_ANSWERS = "{count} answers that did not arrive may have come in frames that were not recognised"
NOTHING_DELIVERED = "nothing was delivered"
NO_ORDER = "the contract promises no order"
NO_TOTAL_ORDER = 'the contract does not promise order = "room"'
NO_CAUSAL_ORDER = 'the contract does not promise order = "causal"'
NO_TEXTS = "no delivery's text was compared: the dialect does not say where it is"
OWN_TEXTS = "the scenario made the texts itself"
NO_TEXT_AT = 'no delivery has a text at endpoint.json.delivery.text = "{path}"'
NO_TEXT_FOUND = "no text that was sent was found in a delivery; say where it is: endpoint.json.delivery.text"
NO_NAMES = "no delivery named its sender apart from its message's id"
UNCLEAR_NAMES = "all senders have the same name, or none has one that most of its deliveries have"
NAMES_OF_RECEIVERS = (
    "{count} deliveries named their receiver: endpoint.json.delivery.sender does not seem to be the sender"
)
ORDER_UNJUDGED = "{count} deliveries that may have come after an answer were too many to compare"
NO_LIST = "the endpoint's list of connections was not read"
NONE_LISTED = "the endpoint's list named none of our connections (its last one had {count} others)"
TOO_EARLY = "no dropped connection was in the list for long enough to tell"
LIST_WITHOUT_OURS = "the endpoint's list named none of our open connections; see observe.list_path and observe.key_path"
LIST_OF_OTHERS = (
    "the endpoint's list named none of our open connections, but for example {names}; give each connection its {{key}}"
    ", and see observe.key_path"
)
NO_STALE_PROMISE = "the contract has no stale_within_s"
NO_BURST = "there was no burst"
NO_THROTTLE_PROMISE = "the contract has no throttle_per_s"
NOT_EXCEEDED = "neither load nor bursts exceeded the promised limit"
NEVER_THROTTLED = "neither load nor bursts exceeded the promised limit, and nothing was throttled"
IN_ORDER = "answers come in the order of the requests (endpoint.order)"
NO_MALFORMED = "no malformed payload was sent"
NO_JOIN = "no room was joined"
THROTTLE_PROMISED = "the contract promises a throttle for every session"
UNSENT = "; {count} messages of bursts were planned and never sent"
NO_GROWTH_PROMISE = "the contract has no grows_mib_per_h"
NO_MEMORY = "the endpoint's memory was not read for long enough"
MAY_OUTLIVE = "the contract lets connections outlive their token"
NO_EXPIRY = "when tokens expire is not known"
NOTHING_EXPIRED = "no connection was used after its token had expired"
ALL_READ = "every client read all the time"
NOTHING_TO_COMPARE = "too few deliveries while a client did not read, or at other times"
PER_CONNECTION = (
    "; meanwhile {ended} connections ended, and it rose by {kib:g} KiB for each of them (95 %: {low:g} to {high:g})"
)
HELD_UP = "{late} of {deliveries} deliveries held up while {clients} clients did not read; longest {longest_s:.1f} s"
OUTLIVED = "{expired} connections with an expired token: {ended} closed by the endpoint, {outlived} served on"
