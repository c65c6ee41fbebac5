"""The comment on a pull request, against a stand-in of GitHub's API on the loopback."""

import io
import json
import os
import zipfile

import pytest
from aiohttp import web

from automation.app.github import CommentRequest, post_comment
from automation.core.errors import PermanentError, TransientError
from automation.gates.reports.untrusted import MARKER

SHA = "a" * 40


def archive(strategy: str) -> bytes:
    checks = [{"name": "zero trades", "status": "pass", "sentence": "9 trades"}]
    document = {
        "kind": "freqfleet-gate",
        "format": 1,
        "bundle": "b" * 64,
        "strategies": [{"name": strategy, "checks": checks, "comparison": None}],
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("gate.json", json.dumps(document))
    return buffer.getvalue()


class GitHub:
    """Just the endpoints that are asked, as documented, and what was written to them."""

    def __init__(self) -> None:
        self.pulls = [{"number": 7, "head": {"sha": SHA}}]
        self.artifacts = {1: ("gate-report-Alpha", archive("Alpha")), 2: ("other", b"x")}
        self.comments: list[dict] = []
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.status = 200

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._note])
        root = "/repos/o/r"
        app.router.add_get(f"{root}/actions/runs/5", self._run)
        app.router.add_get(f"{root}/actions/runs/5/artifacts", self._artifacts)
        app.router.add_get(f"{root}/actions/artifacts/{{id}}/zip", self._zip)
        app.router.add_get(f"{root}/pulls", self._pulls)
        app.router.add_get(f"{root}/issues/7/comments", self._list)
        app.router.add_post(f"{root}/issues/7/comments", self._post)
        app.router.add_patch(f"{root}/issues/comments/{{id}}", self._patch)
        return app

    @web.middleware
    async def _note(self, request, handler):
        self.tokens.add(request.headers.get("Authorization", ""))
        self.asked.append(f"{request.method} {request.path_qs}")
        if self.status != 200:
            return web.json_response({"message": "no"}, status=self.status)
        return await handler(request)

    async def _run(self, request):
        owner = {"owner": {"login": "fork"}}
        run = {"head_sha": SHA, "head_branch": "change", "head_repository": owner}
        return web.json_response({**run, "html_url": "https://github.com/o/r/actions/runs/5"})

    async def _artifacts(self, request):
        listed = [
            {"id": number, "name": name, "size_in_bytes": len(content)}
            for number, (name, content) in self.artifacts.items()
        ]
        return web.json_response({"artifacts": listed})

    async def _zip(self, request):
        _, content = self.artifacts[int(request.match_info["id"])]
        return web.Response(body=content, content_type="application/zip")

    async def _pulls(self, request):
        assert request.query["head"] == "fork:change"
        return web.json_response(self.pulls)

    async def _list(self, request):
        page = int(request.query["page"])
        return web.json_response(self.comments[(page - 1) * 100 : page * 100])

    async def _post(self, request):
        body = (await request.json())["body"]
        self.comments.append({"id": 9999, "body": body, "user": {"type": "Bot"}})
        return web.json_response({}, status=201)

    async def _patch(self, request):
        body = (await request.json())["body"]
        (found,) = [one for one in self.comments if one["id"] == int(request.match_info["id"])]
        found["body"] = body
        return web.json_response({})


@pytest.fixture
async def github():
    stand_in = GitHub()
    runner = web.AppRunner(stand_in.application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


def request(github) -> CommentRequest:
    return CommentRequest("o/r", 5, "secret-token", github.url)


async def test_one_comment_is_written_and_then_updated(github):
    noise = [{"id": n, "body": "hello", "user": {"type": "User"}} for n in range(120)]
    forged = {"id": 500, "body": MARKER + " mine", "user": {"type": "User"}}
    github.comments = [*noise, forged]
    assert await post_comment(request(github)) == "commented on #7"
    assert await post_comment(request(github)) == "updated the comment on #7"
    ours = [one for one in github.comments if one["id"] == 9999]
    assert len(ours) == 1
    assert "| Alpha | ✔ pass |" in ours[0]["body"]
    assert forged["body"] == MARKER + " mine"
    assert github.tokens == {"Bearer secret-token"}
    assert not any("artifacts/2/" in one for one in github.asked)


async def test_a_pull_request_that_moved_on_is_left_alone(github):
    github.pulls = [{"number": 7, "head": {"sha": "b" * 40}}]
    assert "no open pull request" in await post_comment(request(github))
    assert not github.comments


async def test_a_report_that_is_none_is_named_and_fails(github):
    github.artifacts[3] = ("gate-report-Beta", b"not a zip")
    await post_comment(request(github))
    body = github.comments[0]["body"]
    assert "Backtest gate: fail" in body
    assert "gate-report-Beta could not be read" in body.replace("\\", "")


@pytest.mark.parametrize(("status", "error"), [(403, PermanentError), (502, TransientError)])
async def test_what_github_refuses_is_said(github, status, error):
    github.status = status
    with pytest.raises(error, match=f"GitHub answered {status}"):
        await post_comment(request(github))


async def test_no_github(github):
    with pytest.raises(TransientError, match="cannot be reached"):
        await post_comment(CommentRequest("o/r", 5, "t", "http://127.0.0.1:9"))


def test_wrong_use_of_the_command(freqfleet):
    words = ("gate", "comment", "--repository", "no slash", "--run", "1")
    without = freqfleet(*words, GITHUB_TOKEN="")
    assert (without.returncode, "there is no token" in without.stderr) == (2, True)
    odd = freqfleet(*words, GITHUB_TOKEN="t", PATH=os.environ["PATH"])
    assert (odd.returncode, "not like owner/name" in odd.stderr) == (2, True)
