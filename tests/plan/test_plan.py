from pathlib import Path

import msgspec
import pytest

from harness.errors import PlanError
from harness.plan import Plan, build_plan, load_plan, mask_argument, mask_url, parse_override
from harness.plan.shipped import shipped

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"lod": {}}, 'unknown key "lod"; did you mean "load"'),
        ({"load": {"sesions": 3}}, 'unknown key "load.sesions"; did you mean "sessions"'),
        (
            {"endpoint": {"auth": {"kind": "jwt", "claim": {}}}},
            'unknown key "endpoint.auth.claim"; did you mean "claims"',
        ),
        ({"load": {"rate_per_s": -1.0}}, "load.rate_per_s"),
        ({"load": {"sessions": 0}}, "load.sessions"),
        ({"load": {"sessions": "many"}}, "load.sessions"),
        ({"endpoint": {"url": "http://x"}}, "is not a WebSocket url"),
        ({"endpoint": {"url": "ws://x", "tls": {"insecure": True}}}, "only a wss:// url speaks TLS"),
        ({"endpoint": {"tls": {}}}, "only a wss:// url speaks TLS"),
        ({"endpoint": {"url": "wss://x", "tls": {"insecure": True, "ca_file": "a"}}}, "would do nothing"),
        ({"endpoint": {"url": "wss://x", "tls": {"key_file": "a"}}}, "give cert_file too"),
        ({"endpoint": {"url": "ws://x:99999"}}, "[Pp]ort"),
        ({"endpoint": {"url": "ws://x", "proxy": "socks5://p:1"}}, "is not a proxy"),
        ({"endpoint": {"url": "ws://x", "proxy": "http://me:secret@p:1"}}, "keep credentials in the environment"),
        ({"endpoint": {"proxy": "http://p:1"}}, "the embedded endpoint is here"),
        ({"endpoint": {"source_addresses": ["10.0.0.1/24"]}}, "host bits set"),
        ({"endpoint": {"source_addresses": ["10.0.0.0/8"]}}, "more than 65536"),
        ({"endpoint": {"ping_timeout_s": 1.0}}, "goes with ping_every_s"),
        ({"endpoint": {"ping_every_s": 1.0, "ping_timeout_s": 2.0}}, "at most ping_every_s"),
        ({"endpoint": {"headers": {"a b": "c"}}}, "not a name that HTTP allows"),
        ({"endpoint": {"headers": {"a": "b\r\nc: d"}}}, "control character"),
        ({"endpoint": {"deflate": {"client_window_bits": 8}}}, "client_window_bits"),
        ({"endpoint": {"dialect": "json"}}, r"needs a table \[endpoint.json\]"),
        ({"endpoint": {"url": "ws://x", "serve": {"a": 1}}}, "only the embedded endpoint"),
        ({"chaos": [{"fault": "drop", "how": "reset", "count": 1}]}, "needs at_s"),
        ({"chaos": [{"fault": "drop", "how": "reset", "at_s": 1.0}]}, "either count"),
        ({"chaos": [{"fault": "drop", "how": "explode", "at_s": 1.0, "count": 1}]}, "how"),
        ({"chaos": [{"fault": "drp", "how": "reset", "at_s": 1.0, "count": 1}]}, "drp"),
        ({"chaos": [{"fault": "burst", "at_s": 999.0, "count": 1}]}, "never happens"),
        ({"load": {"room_name": "one", "rooms": 2}}, "names one room"),
        ({"contract": {"throttle_per_s": 3.0}}, "go together"),
        ({"load": {"shape": {"shape": "sin"}}}, "load.shape.shape"),
        ({"load": {"shape": {"shape": "ramp"}}}, "to_per_s"),
        ({"load": {"shape": {"shape": "ramp", "to_per_s": 1.0}}}, "is flat"),
        ({"load": {"shape": {"shape": "ramp", "to_per_s": 9.0, "over_s": 21.0}}}, "longer than load.duration_s, 20"),
        ({"load": {"shape": {"shape": "steps", "then_per_s": []}}}, "at least one more rate"),
        ({"load": {"shape": {"shape": "steps", "then_per_s": [2.0, 3.0], "step_s": 10.0}}}, "begin after 20 s"),
        ({"load": {"shape": {"shape": "steps", "then_per_s": [-2.0]}}}, r"then_per_s\[0\]"),
        ({"load": {"shape": {"shape": "spike", "peak_per_s": 9.0, "after_s": 20.0, "hold_s": 1.0}}}, "begins after 20"),
        ({"load": {"shape": {"shape": "spike", "peak_per_s": 9.0, "after_s": 2.0, "hold_s": 0.0}}}, "needs hold_s"),
        ({"load": {"shape": {"shape": "spike", "peak_per_s": 1.0, "after_s": 2.0, "hold_s": 1.0}}}, "peak_per_s: 1"),
        ({"load": {"shape": {"shape": "sine", "amplitude_per_s": 1.5, "period_s": 9.0}}}, "would fall below 0"),
        ({"load": {"shape": {"shape": "sine", "amplitud_per_s": 1.5, "period_s": 9.0}}}, '"amplitude_per_s"'),
        ({"load": {"shape": {"shape": "think", "think_time_s": 0.0}}}, "load.shape.think_time_s"),
        ({"load": {"room_sizes": {"sizes": "none"}}}, 'use "own"'),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line_that_names_what_is_wrong(data, said):
    with pytest.raises(PlanError, match=said) as caught:
        build_plan(data)
    assert "\n" not in str(caught.value)


def test_chaos_on_a_foreign_host_wants_that_host_named():
    fault = {"fault": "burst", "at_s": 1.0, "count": 1}
    data = {"endpoint": {"url": "ws://example.com/x"}, "chaos": [fault]}
    with pytest.raises(PlanError, match=r'allow_hosts = \["example.com"\]'):
        build_plan(data)
    assert build_plan(data | {"allow_hosts": ["example.com"]}).chaos
    with pytest.raises(PlanError):
        build_plan(data | {"allow_hosts": ["example.org"]})


def test_a_host_that_only_looks_like_loopback_is_foreign():
    fault = {"fault": "burst", "at_s": 1.0, "count": 1}
    with pytest.raises(PlanError, match="is not allowed"):
        build_plan({"endpoint": {"url": "ws://localhost.example.com/x"}, "chaos": [fault]})
    with pytest.raises(PlanError, match="is not allowed"):
        build_plan({"endpoint": {"url": "ws://127.0.0.1.example.com/x"}, "chaos": [fault]})


def test_a_protocol_without_rooms_may_have_none():
    json = {"publish": {"body": "{text}", "ref": "{id}"}, "delivery": {"match": {"ref": "*"}}, "acks": "delivery"}
    endpoint = {"url": "ws://127.0.0.1:1/x", "dialect": "json", "json": json}
    plan = build_plan({"endpoint": endpoint, "load": {"room_sizes": {"sizes": "none"}}})
    assert plan.load.room_count == 0
    json["publish"]["to"] = "{room}"
    with pytest.raises(PlanError, match="protocol without rooms"):
        build_plan({"endpoint": endpoint, "load": {"room_sizes": {"sizes": "none"}}})


def test_overrides_lie_over_the_file(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text("seed = 3\n[load]\nsessions = 5\n")
    plan = load_plan(file, [("load.sessions", 9), parse_override("load.ramp_s=1.5"), parse_override("name=x")])
    assert (plan.seed, plan.load.sessions, plan.load.ramp_s, plan.name) == (3, 9, 1.5, "x")


def test_a_plan_that_is_not_there_or_not_toml_is_told(tmp_path):
    with pytest.raises(PlanError, match="cannot read the plan"):
        load_plan(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = [")
    with pytest.raises(PlanError, match="is not TOML"):
        load_plan(tmp_path / "bad.toml")


def test_equal_plans_have_equal_digests_and_others_do_not():
    assert build_plan({"seed": 4}).digest() == build_plan({"seed": 4, "load": {}}).digest()
    assert build_plan({"seed": 4}).digest() != build_plan({"seed": 5}).digest()


def test_credentials_do_not_survive_masking():
    plan = build_plan(
        {
            "endpoint": {
                "url": "ws://user:pw@h/x?token=abc&room=1&client={key}",
                "headers": {"Authorization": "Bearer abc", "X-Api-Key": "abc", "Accept": "abc-is-fine"},
            },
            "observe": {"url": "http://h/list?api_key=abc", "headers": {"Cookie": "abc"}},
        }
    )
    text = msgspec.json.encode(plan.masked()).decode()
    assert "pw@" not in text
    assert text.count("abc") == 1
    assert mask_url("ws://h/x?client={key}&token=${TOKEN}") == "ws://h/x?client={key}&token=${TOKEN}"


def test_templates_and_options_of_the_endpoint_keep_no_secret():
    publish = {"auth": {"user": "hidden", "pass": "hidden"}, "apiKey": "hidden", "to": "{room}", "list": [{"token": 1}]}
    match = {"match": {"type": "ack", "session.token": "hidden"}, "id": "id"}
    plan = build_plan(
        {
            "endpoint": {
                "url": "ws://h/",
                "dialect": "json",
                "json": {
                    "publish": publish, "delivery": match, "ack": match, "ping": {"secret": "hidden", "key": "${KEY}"},
                },
                "rest": {
                    "url": "http://u:hidden@h/", "body": {"apiKey": "hidden", "text": "{text}", "at": "http://hidden@h"},
                    "publish": "/rooms/{room}?api_key=hidden", "poll": "/rooms/{room}?after={after}&token=hidden",
                },
            }
        }
    )  # fmt: skip
    masked = plan.masked()["endpoint"]
    assert "hidden" not in str(masked)
    assert masked["json"]["publish"] == {
        "auth": {"user": "***", "pass": "***"}, "apiKey": "***", "to": "{room}", "list": [{"token": "***"}],
    }  # fmt: skip
    assert masked["json"]["ping"] == {"secret": "***", "key": "${KEY}"}
    assert masked["json"]["ack"]["match"] == {"type": "ack", "session.token": "***"}
    assert masked["rest"]["body"]["text"] == "{text}"
    served = build_plan({"endpoint": {"serve": {"store": "redis://:p@hidden@h/0", "route": ["a=b"], "queue": 5}}})
    assert served.masked()["endpoint"]["serve"] == {"store": "redis://***@h/0", "route": ["a=b"], "queue": 5}


@pytest.mark.parametrize(
    "told",
    [
        'endpoint.rest.body={apiKey="hidden", text="{text}"}',
        "endpoint.json.publish.key=hidden",
        "endpoint.query.key=hidden",
        "endpoint.headers.X-Api-Key=hidden",
        "endpoint.serve.store=redis://:hidden@h/0",
        'endpoint.serve={store="redis://:hidden@h/0"}',
        "endpoint.rest.poll=/rooms/{room}?after={after}&token=hidden",
        "ws://user:hidden@h/x?token=hidden&a=b",
    ],
)
def test_a_word_of_the_command_line_keeps_no_secret(told):
    for before in ("", "--set=", "--url="):
        masked = mask_argument(before + told)
        assert "hidden" not in masked
        assert masked.startswith(before + told.partition("=")[0].partition("user")[0])
    for harmless in ("--set", "load.sessions=2", 'load.mix={"chat"=2}', "--out=a/b", "=x", "chaos=[]"):
        assert mask_argument(harmless) == harmless


def test_a_fault_happens_at_its_times_until_its_end():
    plan = build_plan(
        {
            "load": {"ramp_s": 0.0, "duration_s": 30.0},
            "chaos": [
                {"fault": "burst", "every_s": 10.0, "count": 1},
                {"fault": "burst", "at_s": 5.0, "every_s": 10.0, "until_s": 25.0, "count": 1},
                {"fault": "burst", "at_s": 7.0, "share": 0.5},
            ],
        }
    )
    assert [list(fault.times_s(plan.load_end_s)) for fault in plan.chaos] == [[10, 20, 30], [5, 15], [7]]
    assert [fault.victims(9) for fault in plan.chaos] == [1, 1, 4]


@pytest.mark.parametrize("name", shipped("plans"))
def test_every_shipped_plan_loads(name):
    assert isinstance(load_plan(ROOT / "plans" / f"{name}.toml"), Plan)


def test_a_key_in_the_address_of_the_metrics_is_not_written_down():
    plan = build_plan({"observe": {"metrics": "http://u:hidden@127.0.0.1:1/metrics?token=hidden"}})
    assert "hidden" not in str(plan.masked())


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "plan.toml").write_text("[load]\nsessions = 7\n", encoding="utf-8-sig")
    assert load_plan(tmp_path / "plan.toml").load.sessions == 7


@pytest.mark.parametrize(
    ("tables", "nearest", "known"),
    [
        ({"endpoint": {"dialect": "jason"}}, "json", ["echo", "envelope", "json"]),
        ({"endpoint": {"rest": {"mode": "lang"}}}, "long", ["interval", "long"]),
        (
            {"chaos": [{"fault": "drop", "how": "rest", "at_s": 1.0, "count": 1}]},
            "reset",
            ["close", "fin", "half-open"],
        ),
    ],
)
def test_a_value_that_is_none_of_those_there_are_is_answered_with_them_and_the_nearest(tables, nearest, known):
    with pytest.raises(PlanError) as error:
        build_plan(tables)
    assert f'"{nearest}"' in str(error.value)
    assert all(name in str(error.value) for name in known)


@pytest.mark.parametrize(
    ("contract", "order"),
    [
        ({}, "sender"),
        ({"ordered": True}, "sender"),
        ({"ordered": False}, "none"),
        *(({"order": order}, order) for order in ("none", "sender", "room", "causal")),
    ],
)
def test_the_order_is_promised_by_either_name_and_kept_under_one(contract, order):
    kept = build_plan({"contract": contract}).contract
    assert (kept.order, kept.ordered) == (order, None)


@pytest.mark.parametrize("contract", [{"order": "room", "ordered": True}, {"order": "total"}, {"ordered": "room"}])
def test_an_order_that_is_given_twice_or_is_none_of_the_four_is_refused(contract):
    with pytest.raises(PlanError):
        build_plan({"contract": contract})


def errors(error):
    chat = {"publish": {"id": "{id}"}, "acks": "none", "delivery": {"match": {}, "id": "id"}, "error": error}
    return {"endpoint": {"url": "ws://127.0.0.1:1/", "dialect": "json", "json": chat}}


ERROR = {"match": {"type": "err"}}


@pytest.mark.parametrize(
    ("written", "count"), [(ERROR, 1), ([ERROR], 1), ([ERROR, ERROR | {"fixed_code": [{"json": 1.5}]}], 2), ([], 0)]
)
def test_there_are_none_one_or_several_tables_of_errors(written, count):
    assert len(build_plan(errors(written)).endpoint.json.errors) == count


@pytest.mark.parametrize(
    ("written", "where"),
    [
        (ERROR | {"cod": "a"}, "endpoint.json.error.cod"),
        ([ERROR, ERROR | {"cod": "a"}], r"endpoint.json.error\[1\].cod"),
    ],
)
def test_a_misspelt_key_is_found_in_one_table_and_in_one_of_several(written, where):
    with pytest.raises(PlanError, match=f'"{where}"; did you mean "code"'):
        build_plan(errors(written))
