"""The `temporal` command line tool, unmodified, with activities that stand alone (spec activity.md 11)."""

import asyncio
import json
import os
import sys
import uuid

import standalone as s
from test_standalone import QUEUE, start, working
from test_suite import client  # noqa: F401  (client is a fixture)

TOOL = os.path.join(os.path.dirname(sys.executable), "temporal")  # requirements.txt installs it


async def temporal(client, *words: str, fails: bool = False) -> str:  # noqa: F811
    """Runs a command of `temporal activity` and returns what it says."""
    address = client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        TOOL,
        "activity",
        *words,
        "--address",
        address,
        env={"HOME": os.environ.get("HOME", "/"), "TEMPORAL_ENV_FILE": os.devnull},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode != 0) == fails, f"{words}: {process.returncode} {out.decode()} {err.decode()}"
    return (out + err if fails else out).decode()


async def told(client, *words: str):  # noqa: F811
    return json.loads(await temporal(client, *words, "--output", "json"))


def new(kind: str) -> list[str]:
    """The words that start an activity of a type nobody works for, or of one that is worked for."""
    return ["--type", kind, "--task-queue", QUEUE, "--start-to-close-timeout", "30s", "--retry-initial-interval", "20ms"]


async def test_cli_start_and_complete(client):  # noqa: F811
    name = f"cli-{uuid.uuid4()}"
    of = ["--activity-id", name]
    begun = await told(client, "start", *of, *new("nobody-does-this"), "--input", '"hello"', "--start-delay", "1h")
    assert begun["activityId"] == name
    info = (await told(client, "describe", *of))["info"]
    assert info["activityType"]["name"] == "nobody-does-this" and info["startDelay"] == "3600s"
    await temporal(client, "pause", *of, "--reason", "maintenance")
    query = f"ActivityId = '{name}'"
    assert (await told(client, "count", "--query", query + " AND ExecutionStatus = 'Paused'"))["count"] == "1"
    await temporal(client, "unpause", *of)
    await temporal(client, "update-options", *of, "--start-to-close-timeout", "44s")
    assert (await told(client, "describe", *of))["info"]["startToCloseTimeout"] == "44s"
    await temporal(client, "reset", *of, "--restore-original-options")
    assert (await told(client, "describe", *of))["info"]["startToCloseTimeout"] == "30s"
    await temporal(client, "complete", *of, "--result", '"done by hand"')
    assert "done by hand" in await temporal(client, "result", *of)
    assert "COMPLETED" in await temporal(client, "list", "--query", query, "--output", "json")
    assert "terminal state" in await temporal(client, "cancel", *of, fails=True)
    await temporal(client, "delete", *of, "--yes")
    while "count" in await told(client, "count", "--query", query):
        await asyncio.sleep(0.05)


async def test_cli_execute(client):  # noqa: F811
    async with working(client):
        out = await temporal(client, "execute", "--activity-id", f"cli-{uuid.uuid4()}", *new("introduce"), "--input", '"Hello"')
        assert "Hello, this is attempt 1" in out
        err = await temporal(
            client, "execute", "--activity-id", f"cli-{uuid.uuid4()}", *new("stumble"), "--input", "5", "--retry-maximum-attempts", "2", fails=True
        )
        assert err  # it ends with a failure


async def test_cli_cancel_and_terminate(client):  # noqa: F811
    async with working(client):
        handle = await start(client, s.beat, True)
        await temporal(client, "cancel", "--activity-id", handle.id, "--reason", "changed my mind")
        assert "cancel" in (await temporal(client, "result", "--activity-id", handle.id, fails=True)).lower()
        handle = await start(client, s.beat, True)
        await temporal(client, "terminate", "--activity-id", handle.id, "--reason", "enough")
        assert "enough" in await temporal(client, "result", "--activity-id", handle.id, fails=True)
