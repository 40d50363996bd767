"""Lambda through boto3: life of a function, warm and cold calls, errors, limits, retries."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localaws.confinement import Confinement, kind
from tests.localaws.functions import Stack, packed
from tests.patience import eventually


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("functions"))
    stack.functions.start()
    yield stack
    stack.close()


def test_runs_the_uploaded_code_and_keeps_it_warm(stack: Stack):
    stack.create(
        "counter",
        "import os\ncalls = 0\ndef lambda_handler(event, context):\n"
        "    global calls\n    calls += 1\n    print('hello', event['name'])\n"
        "    return {'calls': calls, 'pid': os.getpid(), 'ä': 'ü'}\n",
    )
    first, error = stack.call("counter", {"name": "Ada"})
    second, _ = stack.call("counter", {"name": "Bob"})
    assert error is None
    assert (first["calls"], second["calls"]) == (1, 2)
    assert first["pid"] == second["pid"]
    assert first["ä"] == "ü"
    eventually(lambda: "hello Bob" in stack.printed("counter"))
    eventually(lambda: "REPORT RequestId" in stack.printed("counter"))


def test_context_carries_what_the_caller_sent(stack: Stack):
    stack.create(
        "context",
        "def lambda_handler(event, context):\n"
        "    return [context.client_context.custom['bedrockAgentCoreToolName'],\n"
        "            context.function_name, context.memory_limit_in_mb,\n"
        "            0 < context.get_remaining_time_in_millis() <= 60000,\n"
        "            context.invoked_function_arn, len(context.aws_request_id)]\n",
        MemorySize=256,
    )
    sent = json.dumps({"custom": {"bedrockAgentCoreToolName": "t___plan"}}).encode()
    result, _ = stack.call("context", {}, ClientContext=base64.b64encode(sent).decode())
    arn = "arn:aws:lambda:us-east-1:000000000000:function:context"
    assert result == ["t___plan", "context", "256", True, arn, 36]


def test_exception_is_unhandled_with_type_message_and_trace(stack: Stack):
    stack.create(
        "broken", "def lambda_handler(event, context):\n    raise ValueError('no luck')\n"
    )
    body, error = stack.call("broken")
    assert error == "Unhandled"
    assert (body["errorType"], body["errorMessage"]) == ("ValueError", "no luck")
    assert "broken.py" in body["stackTrace"][0]
    eventually(lambda: "no luck" in stack.printed("broken"))


@pytest.mark.parametrize(
    ("name", "source", "error_type", "message"),
    [
        ("noimport", "import pandas\ndef lambda_handler(e, c): return 1\n", "Runtime.ImportModuleError", "Unable to import module 'noimport': No module named 'pandas'"),
        ("nohandler", "x = 1\n", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing on module 'nohandler'"),
        ("nopython", "def lambda_handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'nopython'"),
        ("exits", "import os\ndef lambda_handler(e, c): os._exit(3)\n", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("leaves", "import os\ndef lambda_handler(e, c): os._exit(0)\n", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("unsayable", "def lambda_handler(e, c): return {1, 2}\n", "Runtime.MarshalError", "Unable to marshal response"),
        ("greedy", "def lambda_handler(e, c): return len(bytearray(10**9))\n", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("large", "def lambda_handler(e, c): return 'x' * 6_300_000\n", "Function.ResponseSizeTooLarge", "maximum allowed payload size (6291556 bytes)"),
    ],
)  # fmt: skip
def test_other_ways_to_fail(stack: Stack, name: str, source: str, error_type: str, message: str):
    stack.create(name, source)
    body, error = stack.call(name)
    assert error == "Unhandled"
    assert body["errorType"] == error_type
    assert message in body["errorMessage"]


def test_timeout_kills_and_the_next_call_works(stack: Stack):
    stack.create(
        "slow",
        "import threading\ndef lambda_handler(event, context):\n"
        "    threading.Event().wait(event)\n    return 'done'\n",
        timeout=2,
    )
    body, error = stack.call("slow", 30)
    assert error == "Unhandled"
    assert "Task timed out after 2.00 seconds" in body["errorMessage"]
    assert stack.call("slow", 0) == ("done", None)


def test_function_calls_back_into_the_server_and_sees_a_clean_environment(stack: Stack):
    stack.create(
        "back",
        "import boto3, os, sys\ndef lambda_handler(event, context):\n"
        "    names = [f['FunctionName'] for f in boto3.client('lambda').list_functions()['Functions']]\n"
        "    return {'names': names, 'secret': os.environ.get('PYTEST_CURRENT_TEST'),\n"
        "            'ours': os.environ['MINE'], 'path': sys.path}\n",
        Environment={"Variables": {"MINE": "1"}},
    )
    result, error = stack.call("back")
    assert error is None
    assert "back" in result["names"]
    assert result["secret"] is None
    assert result["ours"] == "1"
    assert not any("site-packages" in path for path in result["path"])


def test_parallel_calls_use_several_children(stack: Stack):
    stack.create(
        "parallel",
        "import os, threading\ndef lambda_handler(event, context):\n"
        "    threading.Event().wait(1)\n    return os.getpid()\n",
    )
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(stack.call("parallel")[0])) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert 2 <= len(set(found)) <= 4


def test_update_replaces_code_and_configuration(stack: Stack):
    stack.create("versioned", "def lambda_handler(event, context): return 1\n")
    before = stack.client.get_function_configuration(FunctionName="versioned")
    assert stack.call("versioned")[0] == 1
    stack.client.update_function_code(
        FunctionName="versioned",
        ZipFile=packed(
            **{"versioned.py": "def lambda_handler(e, c): return [2, c.memory_limit_in_mb]\n"}
        ),
    )
    stack.client.update_function_configuration(FunctionName="versioned", MemorySize=300)
    after = stack.client.get_function(FunctionName="versioned")["Configuration"]
    assert stack.call("versioned")[0] == [2, "300"]
    assert before["CodeSha256"] != after["CodeSha256"]
    stack.client.delete_function(FunctionName="versioned")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        stack.call("versioned")


def test_refusals(stack: Stack):
    stack.create("once", "def lambda_handler(event, context): return 1\n")
    with pytest.raises(ClientError, match="ResourceConflictException"):
        stack.create("once", "x = 1\n")
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        stack.client.invoke(FunctionName="once", Payload=b"{not json")
    with pytest.raises(ClientError, match="Could not unzip"):
        stack.client.update_function_code(FunctionName="once", ZipFile=b"not a zip")
    dry = stack.client.invoke(FunctionName="once", InvocationType="DryRun")
    assert dry["StatusCode"] == 204


def test_event_is_accepted_at_once_and_retried_twice(stack: Stack):
    stack.create(
        "flaky",
        "tries = 0\ndef lambda_handler(event, context):\n"
        "    global tries\n    tries += 1\n    print('try', context.aws_request_id)\n"
        "    if tries < event: raise OSError('later')\n",
    )

    def tries() -> list[str]:
        return [line for line in stack.printed("flaky").splitlines() if line.startswith("try ")]

    answer = stack.client.invoke(FunctionName="flaky", InvocationType="Event", Payload=b"3")
    assert answer["StatusCode"] == 202
    eventually(lambda: len(tries()) == 3)
    eventually(lambda: stack.functions.pending() == 0)
    assert len(set(tries())) == 1

    stack.client.invoke(FunctionName="flaky", InvocationType="Event", Payload=b"99")
    eventually(lambda: stack.functions.pending() == 0)
    eventually(lambda: len(tries()) == 6)


def test_queued_event_and_function_survive_a_restart(tmp_path: Path):
    first = Stack(tmp_path / "home")
    first.create("durable", "def lambda_handler(event, context): print('delivered', event)\n")
    first.functions.enqueue("durable", "late")
    first.close()
    second = Stack(tmp_path / "home")
    try:
        assert second.functions.pending() == 1
        second.functions.start()
        eventually(lambda: second.functions.pending() == 0)
        eventually(lambda: "delivered late" in second.printed("durable"))
    finally:
        second.close()


@pytest.mark.skipif(kind() is Confinement.NONE, reason="this system has no Landlock")
def test_a_function_writes_its_own_folder_only(stack: Stack, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    stack.create(
        "nosy",
        "import tempfile\ndef lambda_handler(event, context):\n"
        "    with tempfile.NamedTemporaryFile('w') as file: file.write('ok')\n"
        "    try: return open(event).read()\n"
        "    except PermissionError as error: return error.strerror\n",
    )
    assert stack.call("nosy", str(secret)) == ("Permission denied", None)
