"""Requests on a connection get Binance's answers and errors."""

import orjson
import pytest

from automation.simulator.streams.rules import StreamRules

UNKNOWN = (
    "Invalid request: unknown variant `NOPE`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, "
    "`LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
)


def test_subscriptions_are_listed_and_ended(stage):
    wire = stage.connect("btcusdt@trade")
    assert stage.ask(wire, method="SUBSCRIBE", params=["a@b", "btcusdt@trade"], id=1) == {
        "result": None,
        "id": 1,
    }
    assert stage.ask(wire, method="LIST_SUBSCRIPTIONS", id=2) == {
        "result": ["btcusdt@trade", "a@b"],
        "id": 2,
    }
    assert stage.ask(wire, method="UNSUBSCRIBE", params=["btcusdt@trade"], id=3)["result"] is None
    assert stage.ask(wire, method="LIST_SUBSCRIPTIONS", id=4)["result"] == ["a@b"]


def test_messages_carry_their_streams_name_when_asked(stage):
    wire = stage.connect("btcusdt@depth5@100ms")
    assert stage.ask(wire, method="GET_PROPERTY", params=["combined"], id=1)["result"] is False
    assert stage.ask(wire, method="SET_PROPERTY", params=["combined", True], id=2) == {
        "result": None,
        "id": 2,
    }
    stage.run(0.1)
    (message,) = wire.read()
    assert message["stream"] == "btcusdt@depth5@100ms"
    assert message["data"]["e"] == "depthUpdate"
    assert stage.ask(wire, method="GET_PROPERTY", params=["combined"], id=3)["result"] is True


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("{", 3, "Invalid JSON: expected value at line 1 column 2"),
        ("[]", 2, "Invalid request: invalid type: expected struct Request"),
        ('{"id":1}', 2, "Invalid request: missing field `method`"),
        ('{"method":"NOPE","id":1}', 2, UNKNOWN),
        ('{"method":"SUBSCRIBE","params":["a"],"id":-1}', 2, "Invalid request: request ID must be an unsigned integer"),
        ('{"method":"SUBSCRIBE","params":["a"],"id":1.5}', 2, "Invalid request: request ID must be an unsigned integer"),
        ('{"method":"SET_PROPERTY","params":["nope",true],"id":1}', 0, "Unknown property"),
        ('{"method":"SET_PROPERTY","params":["combined","x"],"id":1}', 1, "Invalid value type: expected Boolean"),
        ('{"method":"SET_PROPERTY","params":[1,true],"id":1}', 2, "Invalid request: property name must be a string"),
        ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "Invalid request: too many parameters"),
        ('{"method":"SUBSCRIBE","params":"a","id":1}', 2, "Invalid request: invalid type: expected a sequence"),
    ],
)  # fmt: skip
def test_wrong_requests_are_told_why(stage, text, code, message):
    wire = stage.connect()
    stage.hub.ask(wire.connection, text)
    (answer,) = wire.read()
    assert answer["error"] == {"code": code, "msg": message}
    if '"id":1' in text and ".5" not in text:
        assert answer["id"] == 1


def test_there_is_a_most_of_streams(make_stage):
    stage = make_stage(rules=StreamRules(most_streams=3))
    wire = stage.connect("a@b", "c@d")
    answer = stage.ask(wire, method="SUBSCRIBE", params=["e@f", "g@h"], id=9)
    assert answer == {
        "error": {"code": 2, "msg": "Invalid request: more than 3 streams"},
        "id": 9,
    }
    assert stage.ask(wire, method="LIST_SUBSCRIPTIONS", id=1)["result"] == ["a@b", "c@d"]


def test_answers_come_after_what_was_sent_before(stage):
    wire = stage.connect("btcusdt@depth5@100ms")
    stage.run(0.1)
    stage.hub.ask(wire.connection, orjson.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
    assert ["e" in each for each in wire.read()] == [True, False]
