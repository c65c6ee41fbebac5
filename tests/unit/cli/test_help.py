"""Every command explains itself with an example, and wrong use is one sentence."""

import pytest
import typer

from automation.cli import program


def leaves(command=None, path=("freqfleet",)):
    command = command or typer.main.get_command(program)
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, child in command.commands.items():
        yield from leaves(child, (*path, name))


LEAVES = tuple(leaves())


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_command_has_an_example(path, command):
    assert "Example" in command.help
    assert path in command.help


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_option_is_explained(path, command):
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{path} {parameter.name}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing",), "No such command"),
        (("backtest",), "Missing"),
        (("status",), "there is no fleet here"),
        (("down",), "there is no fleet here"),
        (("panic",), "there is no journal yet"),
        (("panic", "--flatten"), "nobody is there to confirm"),
        (("bot", "start", "x"), "no supervisor runs"),
        (("bot", "login", "x"), "there is no bot x"),
        (("bot", "logs", "x"), "there is no bot x"),
        (("journal", "tail"), "there is no journal yet"),
        (("journal", "verify", "none.jsonl"), "there is no such export"),
        (("journal", "search", "--from", "yesterday"), "'yesterday' is not an instant"),
        (("simulate", "--at", "noon"), "--at: 'noon' is not an instant"),
        (("simulate", "--data", "nowhere"), "no such folder"),
        (("up", "-c", "none.yaml"), "there is no such file"),
        (("doctor", "-c", "none.yaml"), "there is no such file"),
        (("init", "--venue", "moon"), "'moon' is none of simulator"),
        (("init", "--venue", "simulator"), "there is no terminal to ask at"),
    ],
)
def test_wrong_use_is_one_sentence(freqfleet, arguments, told):
    done = freqfleet(*arguments)
    assert told in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if arguments == ("down",) else 2)


def test_init_writes_a_fleet_that_loads_and_refuses_to_overwrite(freqfleet, tmp_path):
    answers = ("--venue", "simulator", "--profile", "moderate", "--capital", "5000")
    assert freqfleet("init", *answers).returncode == 0
    assert "fleet:" in (tmp_path / "fleet.yaml").read_text()
    again = freqfleet("init", *answers)
    assert again.returncode == 2
    assert "there is a file already" in again.stderr


def test_a_port_that_is_taken_is_exit_3(freqfleet):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = freqfleet("simulate", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 3
    assert "choose another port" in done.stderr


def test_json_is_one_document_and_nothing_else(freqfleet):
    done = freqfleet("status", "--json")
    assert done.stdout == ""
    assert done.returncode == 2
