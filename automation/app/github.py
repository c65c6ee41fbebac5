"""The gate's one comment on a pull request, through GitHub's REST API.

Runs with rights, so it runs nothing of the pull request: it takes the reports of a finished run,
believes none of their words (`gates.reports.untrusted`), finds the pull request by the run's own
head commit, and writes or updates one comment. Called by the command line in `workflow_run`.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

from automation.core.errors import ConfigError, PermanentError, TransientError
from automation.gates.reports.untrusted import MARKER, ReportDocument, comment, read_artifact

_ARTIFACTS = re.compile(r"gate-report(?:-[A-Za-z_][A-Za-z0-9_]{0,99})?")
_MOST_BYTES = 20_000_000
_TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True, slots=True)
class CommentRequest:
    """What the workflow knows: its repository, and the run that has finished."""

    repository: str
    run: int
    token: str
    api: str = "https://api.github.com"


async def post_comment(request: CommentRequest) -> str:
    """Write or update the comment for a finished run, and say what was done.

    A run that belongs to no open pull request is left alone. Raises ConfigError for wrong use,
    DependencyError where GitHub refuses.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", request.repository):
        raise ConfigError("is not like owner/name", where="--repository")
    headers = {
        "Authorization": f"Bearer {request.token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
        api = _Api(session, request.api.rstrip("/"), request.repository)
        run = await api.get(f"actions/runs/{request.run}")
        number = await api.pull_request(run)
        if number is None:
            return "the run belongs to no open pull request"
        reports, refused = await api.reports(request.run)
        text = comment(reports, refused, str(run["html_url"]))
        return await api.write(number, text)


@dataclass(frozen=True, slots=True)
class _Api:
    session: aiohttp.ClientSession
    address: str
    repository: str

    async def get(self, path: str, **parameters: str | int) -> Any:
        return await self._ask("GET", path, params=parameters)

    async def pull_request(self, run: dict[str, Any]) -> int | None:
        """Find the open pull request whose head is the run's commit."""
        owner, branch = run["head_repository"]["owner"]["login"], run["head_branch"]
        found = await self.get("pulls", state="open", head=f"{owner}:{branch}")
        numbers = [one["number"] for one in found if one["head"]["sha"] == run["head_sha"]]
        return int(numbers[0]) if numbers else None

    async def reports(self, run: int) -> tuple[list[ReportDocument], list[str]]:
        """Read the run's reports, and name those that are none."""
        listed = await self.get(f"actions/runs/{run}/artifacts", per_page=100)
        reports, refused = [], []
        for one in listed["artifacts"]:
            name = str(one["name"])
            if not _ARTIFACTS.fullmatch(name):
                continue
            try:
                reports.append(read_artifact(await self._archive(one), name))
            except ConfigError:
                refused.append(name)
        return reports, refused

    async def _archive(self, artifact: dict[str, Any]) -> bytes:
        if int(artifact["size_in_bytes"]) > _MOST_BYTES:
            raise ConfigError("is larger than a report can be", where=str(artifact["name"]))
        content = await self._ask("GET", f"actions/artifacts/{int(artifact['id'])}/zip")
        return bytes(content)

    async def write(self, number: int, text: str) -> str:
        async for one in self._comments(number):
            if str(one["body"]).startswith(MARKER) and one["user"]["type"] == "Bot":
                await self._ask("PATCH", f"issues/comments/{one['id']}", json={"body": text})
                return f"updated the comment on #{number}"
        await self._ask("POST", f"issues/{number}/comments", json={"body": text})
        return f"commented on #{number}"

    async def _comments(self, number: int) -> AsyncIterator[dict[str, Any]]:
        page = 1
        while True:
            found = await self.get(f"issues/{number}/comments", per_page=100, page=page)
            for one in found:
                yield one
            if len(found) < 100:
                return
            page += 1

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        url = f"{self.address}/repos/{self.repository}/{path}"
        try:
            async with self.session.request(method, url, **more) as response:
                if response.status >= 500:
                    raise TransientError(f"GitHub answered {response.status}", where=path)
                if response.status >= 400:
                    cure = "check the token's rights"
                    raise PermanentError(
                        f"GitHub answered {response.status}", where=path, cure=cure
                    )
                is_json = response.content_type == "application/json"
                return await response.json() if is_json else await _bounded(response, path)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TransientError(f"GitHub cannot be reached ({error})", where=path) from None


async def _bounded(response: aiohttp.ClientResponse, path: str) -> bytes:
    content = await response.content.read(_MOST_BYTES + 1)
    parts = [content]
    while content and sum(map(len, parts)) <= _MOST_BYTES:
        content = await response.content.read(1 << 16)
        parts.append(content)
    if sum(map(len, parts)) > _MOST_BYTES:
        raise ConfigError("is larger than a report can be", where=path)
    return b"".join(parts)
