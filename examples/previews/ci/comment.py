"""Comments a pull request of GitHub, or a merge request of GitLab, with the link of its preview lane.

It reads lane.json, which `graylane lane create --output json` has printed. A request has one such comment: that of the
last push is replaced. Standard library only.

GitHub: GITHUB_API_URL and GITHUB_REPOSITORY (set by the runner), GITHUB_TOKEN, NUMBER.
GitLab: CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID (set by the runner), GITLAB_TOKEN with the scope `api`.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

MARK = "<!-- graylane preview lane -->"  # tells the comment from those of people
PAGE, PAGES = 100, 50  # comments in one answer, and answers that are read
PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Forge:
    """Where the comments are.

    Parameters:
        comments: URL of the list.
        one: URL of one comment, for its number.
        update: the HTTP method that replaces a comment.
        headers: those that authenticate.
    """

    comments: str
    one: str
    update: str
    headers: dict[str, str]

    @classmethod
    def of(cls, env: dict[str, str]) -> "Forge":
        if api := env.get("CI_API_V4_URL"):
            request = f"{api}/projects/{env['CI_PROJECT_ID']}/merge_requests/{env['CI_MERGE_REQUEST_IID']}/notes"
            return cls(request, f"{request}/{{}}", "PUT", {"PRIVATE-TOKEN": env["GITLAB_TOKEN"]})
        issues = f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPOSITORY']}/issues"
        token = {"Authorization": f"Bearer {env['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
        return cls(f"{issues}/{env['NUMBER']}/comments", f"{issues}/comments/{{}}", "PATCH", token)

    def say(self, text: str) -> None:
        """Replace the comment with the mark, or write the first one."""
        mine = next((one["id"] for one in self._all() if one["body"].startswith(MARK)), None)
        if mine is None:
            self._ask("POST", self.comments, {"body": text})
        else:
            self._ask(self.update, self.one.format(mine), {"body": text})

    def _all(self) -> Iterator[dict[str, Any]]:
        for number in range(1, PAGES + 1):
            found = self._ask("GET", f"{self.comments}?per_page={PAGE}&page={number}")
            yield from found
            if len(found) < PAGE:
                return

    def _ask(self, method: str, url: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json", "User-Agent": "graylane-preview"}
        with urlopen(Request(url, data, headers, method=method), timeout=PATIENCE) as answer:
            return json.load(answer)


def comment(lane: dict[str, Any]) -> str:
    """The text, in Markdown."""
    versions = "\n".join(f"| {service} | `{version}` |" for service, version in lane["versions"].items())
    lines = [MARK, f"### Preview lane `{lane['name']}`", ""]
    if lane["link"]:
        lines += [f"**<{lane['link']}>**", ""]
    if lane["curl"]:
        lines += ["```sh", lane["curl"], "```", ""]
    return "\n".join([*lines, "| service | version |", "|---|---|", versions, "", f"It ends at {lane['expires']}."])


def main() -> None:
    lane = json.loads(Path("lane.json").read_text())
    try:
        Forge.of(dict(os.environ)).say(comment(lane))
    except KeyError as error:
        sys.exit(f"comment.py: the variable {error.args[0]} is missing")
    except HTTPError as error:
        sys.exit(f"comment.py: {error.url}: {error.code} {error.reason}")
    except (URLError, TimeoutError) as error:
        sys.exit(f"comment.py: no answer: {error}")


if __name__ == "__main__":
    main()
